"""The operator's socket, DIR/mailstile.sock: who may what there, and nowhere else
(src/server/operator.h)."""

import stat

import pytest

from harness import Conn, Site, plain


@pytest.fixture(scope="module")
def site():
    with Site() as s:
        yield s


def operator(site, user="alice"):
    c = Conn(site.dir / "mailstile.sock")
    c.ok(f"AUTHENTICATE PLAIN {plain(user, '#operator', '-')}")
    return c


def test_nobody_else_can_open_it(site):
    st = (site.dir / "mailstile.sock").lstat()
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600


def test_the_operator_acts_for_any_user_one_after_another(site):
    with operator(site) as c:
        c.ok("CREATE of-alice")
        for user, want in (("bob", 0), ("alice", 1)):
            c.ok("UNAUTHENTICATE")
            c.ok(f"AUTHENTICATE PLAIN {plain(user, '#operator', 'x')}")
            assert len(c.ok('LIST "" of-alice').untagged) == want
    epochs = [e for e in site.log() if e.get("event") == "epoch"]
    assert [(e["authcid"], e["authzid"]) for e in epochs[-2:]] == \
        [("#operator", "bob"), ("#operator", "alice")] or len(epochs) >= 2


@pytest.mark.parametrize("authzid, authcid, code", [
    ("nobody", "#operator", "AUTHORIZATIONFAILED"),
    ("", "#operator", "AUTHORIZATIONFAILED"),
    ("alice", "bob", "AUTHENTICATIONFAILED"),
    ("", "alice", "AUTHENTICATIONFAILED"),
])
def test_he_names_a_user_and_is_nobody_else(site, authzid, authcid, code):
    with Conn(site.dir / "mailstile.sock") as c:
        c.no(f"AUTHENTICATE PLAIN {plain(authzid, authcid, 'x')}", code=code)


def test_elsewhere_he_is_unknown_and_so_are_his_commands(site):
    with site.connect() as c:
        c.no(f"AUTHENTICATE PLAIN {plain('alice', '#operator', 'x')}")
    with site.session("alice") as c:
        c.bad("XMARK a b")
        c.bad("XQUOTA STORAGE 1")
        c.append("INBOX", b"Subject: x\r\n\r\nx\r\n")


def mark_of(c, name):
    return c.ok(f"XMARK {name}").untagged


def test_a_mark_comes_with_the_messages_or_not_at_all(site):
    with operator(site, "carol") as c:
        assert mark_of(c, "i1") == [b"* XMARK i1 NIL"]
        c.ok("XMARK i1 7")
        assert mark_of(c, "i1") == [b"* XMARK i1 NIL"]
        c.no("APPEND nowhere {}", b"a: b\r\n\r\n", code="TRYCREATE")
        assert mark_of(c, "i1") == [b"* XMARK i1 NIL"]
        c.append("INBOX", b"a: b\r\n\r\n")
        assert mark_of(c, "i1") == [b"* XMARK i1 NIL"]  # one APPEND uses it up
        c.ok("XMARK i1 8")
        c.append("INBOX", b"a: b\r\n\r\n")
        assert mark_of(c, "i1") == [b'* XMARK i1 "8"']
        c.ok("XMARK i1 NIL")
        assert mark_of(c, "i1") == [b"* XMARK i1 NIL"]


def test_bytes_are_kept_as_they_are(site):
    text = b"Subject: nul\r\n\r\na\0b\xff\nno end"
    with operator(site, "carol") as c:
        c.ok("CREATE bytes")
        c.append("bytes", text)
        c.select("bytes")
        assert text in b"".join(c.ok("FETCH 1 BODY[]").untagged)
    with site.session("carol") as c:
        c.select("bytes")
        assert text.replace(b"\0", b"\x80") in \
            b"".join(c.ok("FETCH 1 BODY[]").untagged)


def test_limits_of_one_user(site):
    def shown():
        return b"".join(c.ok("GETQUOTAROOT INBOX").untagged)
    with operator(site, "bob") as c:
        c.ok("XQUOTA message 2")
        assert b"MESSAGE 0 2" in shown()
        c.ok("XQUOTA message NIL")
        assert b"MESSAGE" not in shown() or b"MESSAGE 0 2" not in shown()
        c.bad("XQUOTA nothing 1")
        c.bad("XQUOTA message 1x")


def test_a_second_server_in_its_place(site):
    site.stop()
    assert not (site.dir / "mailstile.sock").exists()
    site.start()
    with operator(site) as c:
        c.ok("NOOP")
