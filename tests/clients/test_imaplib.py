"""Python's imaplib."""

import imaplib
import ssl

import pytest

from harness import ADMIN, ADMIN_PW, USER_PW, eml, plain


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


@pytest.fixture(params=["plain", "starttls", "tls"])
def imap(site, request):
    context = ssl.create_default_context(cafile=site.certificate)
    if request.param == "tls":
        c = imaplib.IMAP4_SSL("localhost", site.ports["imaps"], ssl_context=context)
    else:
        c = imaplib.IMAP4("localhost", site.ports["imap"])
        if request.param == "starttls":
            ok(c.starttls(context))
    yield c
    c.logout()


def test_imaplib_round(imap):
    ok(imap.login("alice", USER_PW))
    assert b"UIDPLUS" in ok(imap.capability())[0].split()
    ok(imap.create("box"))
    ok(imap.subscribe("box"))
    for name in ("plain", "multi", "qp"):
        ok(imap.append("box", r"(\Flagged)", '"17-Jul-1996 02:44:25 -0700"', eml(name)))
    assert ok(imap.select("box")) == [b"3"]
    assert ok(imap.search(None, "FLAGGED", "SUBJECT", "two")) == [b"2"]
    assert ok(imap.uid("SEARCH", "ALL")) == [b"1 2 3"]
    data = ok(imap.fetch("2", "(BODY.PEEK[] FLAGS)"))
    assert data[0][1] == eml("multi")
    ok(imap.store("1:2", "+FLAGS", r"\Deleted"))
    ok(imap.copy("3", "INBOX"))
    assert ok(imap.expunge()) == [b"1", b"1"]
    ok(imap.noop())
    ok(imap.check())
    assert b"MESSAGES 1" in ok(imap.status("INBOX", "(MESSAGES UNSEEN)"))[0]
    assert ok(imap.namespace()) == [b'(("" "/")) (("Other Users/" "/")) (("Shared/" "/"))']
    assert len(ok(imap.list())) == 2
    assert len(ok(imap.lsub())) == 1
    ok(imap.close())
    ok(imap.rename("box", "other"))
    ok(imap.unsubscribe("box"))
    ok(imap.delete("other"))
    with pytest.raises(imaplib.IMAP4.error):
        imap.login("alice", USER_PW)


def test_imaplib_errors_are_errors(imap):
    with pytest.raises(imaplib.IMAP4.error):
        imap.login("alice", "wrong")
    ok(imap.login("bob", USER_PW))
    assert imap.select("nothere")[0] == "NO"
    imaplib.Commands["PONIES"] = ("AUTH", "SELECTED")
    with pytest.raises(imaplib.IMAP4.error):
        imap._simple_command("PONIES")
    ok(imap.select())


def test_imaplib_authenticates_for_another_and_switches(imap):
    import base64
    one = base64.b64decode(plain("alice", ADMIN, ADMIN_PW))
    ok(imap.authenticate("PLAIN", lambda challenge: one))
    ok(imap.append("INBOX", None, None, eml("plain")))
    imaplib.Commands["UNAUTHENTICATE"] = ("AUTH", "SELECTED")
    ok(imap._simple_command("UNAUTHENTICATE"))
    imap.state = "NONAUTH"
    two = base64.b64decode(plain("bob", ADMIN, ADMIN_PW))
    ok(imap.authenticate("PLAIN", lambda challenge: two))
    assert ok(imap.select()) == [b"0"]
