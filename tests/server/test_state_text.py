"""What is said in which language and compared how ends with the session (state table of
RFC 8437, doc/unauthenticate.md)."""

import pytest

from harness import Site, eml
from settings import PATIENT, both, limit
from test_state_table import deliver, names

STRICT = limit("legacy-8bit-headers", "reject")


@pytest.fixture(scope="module")
def strict():
    """`legacy-8bit-headers: reject`"""
    with Site(pool=6, configure=both(PATIENT, STRICT)) as s:
        yield s


def test_s14_utf8_accept_is_off_again(site, how, alice, bob):
    with site.session(bob) as w:
        w.ok('CREATE "Entw&APw-rfe"')
    deliver(site, bob)
    with site.session(alice, how) as k:
        k.ok("ENABLE UTF8=ACCEPT").one(rb"\* ENABLED UTF8=ACCEPT$")
        k.unauthenticate()
        k.login(bob)
        assert names(k) == {"INBOX", "Entw&APw-rfe"}
        k.ok("SELECT INBOX")
        k.ok("SEARCH CHARSET UTF-8 SUBJECT afternoon").one(rb"\* SEARCH 1$")
        k.ok("UNSELECT")
        k.ok("ENABLE UTF8=ACCEPT").one(rb"\* ENABLED UTF8=ACCEPT$")
        assert "Entw&APw-rfe" not in names(k)


def test_s14_8bit_headers_are_refused_again_where_the_site_refuses_them(strict):
    message, old = eml("smtputf8"), eml("plain")
    append = "APPEND INBOX {}"
    with strict.session(strict.new_user()) as k:
        k.cmd(append, message).no()
        k.cmd(append, old).ok()
        # only the header counts (RFC 9755 section 4)
        k.cmd(append, old + "Grüße\r\n".encode()).ok()
        k.cmd(append, b"X: \xfc\r\n\r\nbody\r\n").no()
        k.ok("ENABLE UTF8=ACCEPT")
        k.cmd(append, message).ok()
        k.unauthenticate()
        k.login(strict.new_user())
        k.cmd(append, message).no()
        k.ok("ENABLE IMAP4rev2")
        k.cmd(append, message).ok()


def test_8bit_headers_are_kept_as_they_are_by_default(site, alice):
    message = b"Subject: \xfcber \xff\r\nX: \xc3\xbc\r\n\r\nbody\r\n"
    with site.session(alice) as k:
        k.cmd("APPEND INBOX {}", message).ok()
        k.ok("SELECT INBOX")
        r = k.ok("FETCH 1 BODY.PEEK[]")
        assert message in r.untagged[0]


def test_s37_the_comparator_is_the_default_again(site, how, alice, bob):
    deliver(site, bob)
    with site.session(alice, how) as k:
        k.ok("COMPARATOR i;octet").one(rb"\* COMPARATOR i;octet$")
        k.unauthenticate()
        k.login(bob)
        k.ok("COMPARATOR").one(rb"\* COMPARATOR i;unicode-casemap$")
        k.ok("SELECT INBOX")
        assert k.ok('SEARCH FROM "FOOBAR"').one(rb"\* SEARCH(.*)")[1] == b" 1"


def test_s36_the_language_is_the_default_again(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok("LANGUAGE de").one(rb"\* LANGUAGE \(de\)$")
        assert k.no("SELECT nothere").text == "Ein solches Postfach gibt es nicht."
        k.unauthenticate()
        assert k.bad("SELECT nothere").text == "Log in first."
        k.ok("LANGUAGE fr")
        k.login(bob)            # one that was chosen before the login holds on
        assert k.no("SELECT nothere").text == "Cette boîte n'existe pas."
        k.unauthenticate()
        k.login(bob)
        assert k.no("SELECT nothere").text == "There is no such mailbox."
