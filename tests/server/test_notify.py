"""NOTIFY (RFC 5465): what arrives by itself, and that nothing does once its session has
ended (rows S31 to S33 of the state table)."""

import pytest

from harness import Site, eml
from settings import PATIENT

EVERYTHING = ("NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange)) "
              "(personal (MessageNew MessageExpunge FlagChange MailboxName "
              "SubscriptionChange))")


@pytest.fixture(scope="module")
def site():
    with Site(pool=80, configure=PATIENT) as s:
        yield s


@pytest.fixture
def alice(site):
    return site.new_user()


@pytest.fixture
def bob(site):
    return site.new_user()


@pytest.mark.parametrize("how", ["plain", "tls", "deflate"])
@pytest.mark.parametrize("command", [
    EVERYTHING, "NOTIFY SET (personal (MessageNew MessageExpunge))",
    "NOTIFY SET (selected-delayed (MessageNew (BODY.PEEK[]) MessageExpunge)) "
    "(inboxes (MailboxName)) (subtree a (MessageNew MessageExpunge)) "
    "(subscribed (MessageNew MessageExpunge))"])
def test_S31_registration_ends_with_the_session(site, how, command, alice, bob):
    with site.session(alice, how) as k, site.session(alice) as wa, site.session(bob) as wb:
        k.select()
        k.ok(command)
        k.unauthenticate()
        wa.append("INBOX", eml("plain"))
        wa.ok("CREATE news")
        k.quiet(0.2)
        k.login(bob)
        wa.append("INBOX", eml("plain"))
        wa.append("news", eml("plain"))
        wb.ok("CREATE bobs")
        wb.append("bobs", eml("plain"))
        k.quiet(0.2)
        k.select()
        wb.append("INBOX", eml("plain"))
        wb.append("bobs", eml("plain"))
        k.quiet(0.2)
        k.ok("NOOP").one(rb"\* 1 EXISTS$")


def test_S31_pipelined_unauthenticate_ends_what_is_being_told(site, alice, bob):
    with site.session(alice) as k, site.session(alice) as w:
        k.select()
        k.ok(EVERYTHING)
        for _ in range(20):
            w.start("APPEND INBOX {}", eml("plain"))
            w.start("CREATE x{}", "y")
        k.send("u UNAUTHENTICATE\r\n")
        k.finish("u").ok()
        k.quiet(0.3)


def test_S32_none_ends_with_the_session(site, alice, bob):
    with site.session(alice) as k, site.session(bob) as w:
        k.ok("NOTIFY NONE")
        k.unauthenticate()
        k.login(bob)
        k.select()
        w.append("INBOX", eml("plain"))
        k.ok("NOOP").one(rb"\* 1 EXISTS$")
        w.select()
        w.ok("STORE 1 +FLAGS (\\Flagged)")
        k.ok("NOOP").one(rb"\* 1 FETCH \(FLAGS \(.*\\Flagged")


def test_S33_overflow_ends_with_the_session(site, alice, bob):
    """More mailboxes than are watched: the registration ends as if NONE had come."""
    def make(w, first, last):
        tags = [w.start(f"CREATE m{i}") for i in range(first, last)]
        for t in tags:
            w.finish(t).ok()
    with site.session(alice) as k, site.session(alice) as w:
        make(w, 0, 990)
        k.ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
        make(w, 990, 1010)
        assert k.response().startswith(b"* OK [NOTIFICATIONOVERFLOW] ")
        w.append("INBOX", eml("plain"))
        k.quiet(0.2)
        k.no("NOTIFY SET (personal (MessageNew MessageExpunge))",
             code="NOTIFICATIONOVERFLOW")
        k.ok("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))")
        k.unauthenticate()
        k.login(bob)
        k.ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
        with site.session(bob) as b:
            b.append("INBOX", eml("plain"))
        assert k.response().startswith(b"* STATUS INBOX ")


def test_a_client_that_does_not_read_is_told_once(site, alice):
    """What changes meanwhile is one difference, not a heap of lines."""
    with site.session(alice) as k, site.session(alice) as w:
        k.ok("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))")
        tags = [w.start("APPEND INBOX {}", eml("plain")) for _ in range(300)]
        for t in tags:
            w.finish(t).ok()
        last = b""
        lines = 0
        while b"MESSAGES 300 " not in last and b"MESSAGES 300)" not in last:
            last = k.response()
            lines += 1
        assert lines <= 300
        k.quiet(0.2)


def test_new_messages_are_fetched_behind_their_exists(site, alice):
    body = b"Subject: big\r\n\r\n" + b"x" * 300000 + b"\r\n"
    with site.session(alice, "deflate") as k, site.session(alice) as w:
        k.select()
        k.ok("NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge))")
        for i in range(5):
            w.append("INBOX", body)
            while not (r := k.response()).startswith(b"* %d FETCH" % (i + 1)):
                assert r.endswith((b"EXISTS", b"RECENT")), r
            assert body in r
        k.ok("NOOP")
        # while a command of the client's own is under way
        tags = [k.start("UID FETCH 1:* BODY.PEEK[]") for _ in range(3)]
        w.append("INBOX", body)
        for t in tags:
            k.finish(t).ok()
        k.ok("UID SEARCH ALL")
