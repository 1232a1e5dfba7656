"""What is told of a mailbox's versions ends with the session: CONDSTORE, QRESYNC, UIDONLY
and their like (rows of the state table of RFC 8437, doc/unauthenticate.md)."""

import pytest

from test_state_table import deliver

WAYS = {
    "enable": ["ENABLE CONDSTORE"],
    "select": ["SELECT INBOX (CONDSTORE)"],
    "status": ["STATUS INBOX (HIGHESTMODSEQ)"],
    "list": ['LIST "" INBOX RETURN (STATUS (HIGHESTMODSEQ))'],
    "fetch": ["SELECT INBOX", "FETCH 1 (MODSEQ)"],
    "search": ["SELECT INBOX", "SEARCH MODSEQ 1"],
    "changedsince": ["SELECT INBOX", "FETCH 1 (FLAGS) (CHANGEDSINCE 1)"],
    "unchangedsince": ["SELECT INBOX", "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)"],
}


def untagged(response):
    return b"\n".join(response.untagged)


def is_aware(k, site, user):
    """Whether STORE, and a change by somebody else, are told with MODSEQ."""
    got = untagged(k.ok("STORE 1 +FLAGS (\\Flagged)"))
    with site.session(user) as w:
        w.select()
        w.ok("STORE 1 +FLAGS (\\Answered)")
    more = untagged(k.ok("NOOP"))
    assert b"FETCH" in got and b"FETCH" in more
    assert (b"MODSEQ" in got) == (b"MODSEQ" in more)
    return b"MODSEQ" in got


@pytest.mark.parametrize("way", WAYS)
def test_s12_condstore_awareness_ends(site, how, alice, bob, way):
    deliver(site, alice, 1)
    deliver(site, bob, 1)
    with site.session(alice, how) as k:
        first = b""
        for command in WAYS[way]:
            first = untagged(k.ok(command))
        # the first such command in selected state is answered with HIGHESTMODSEQ
        assert (b"HIGHESTMODSEQ" in first) == (way != "enable")
        if way in ("enable", "status", "list"):
            assert b"HIGHESTMODSEQ" in untagged(k.ok("SELECT INBOX"))
        assert is_aware(k, site, alice)
        k.unauthenticate()
        k.login(bob)
        assert b"HIGHESTMODSEQ" not in untagged(k.ok("SELECT INBOX"))
        assert not is_aware(k, site, bob)


def test_s11_select_parameters_end(site, how, alice, bob):
    deliver(site, alice, 1)
    deliver(site, bob, 1)
    with site.session(alice, how) as k:
        k.ok("ENABLE QRESYNC")
        k.ok("SELECT INBOX (QRESYNC (1 1) CONDSTORE)")
        k.unauthenticate()
        k.login(bob)
        assert b"HIGHESTMODSEQ" not in untagged(k.ok("SELECT INBOX"))
        assert not is_aware(k, site, bob)


def test_s13_qresync_ends(site, how, alice, bob):
    deliver(site, alice, 2)
    deliver(site, bob, 2)
    with site.session(alice, how) as k:
        k.ok("ENABLE QRESYNC")
        k.ok("SELECT INBOX")
        k.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        assert b"VANISHED 1" in untagged(k.ok("EXPUNGE"))
        k.unauthenticate()
        k.login(bob)
        k.bad("SELECT INBOX (QRESYNC (1 1))")
        k.ok("SELECT INBOX")
        k.bad("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)")
        k.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        r = k.ok("EXPUNGE")
        assert r.untagged == [b"* 1 EXPUNGE"]
        assert "HIGHESTMODSEQ" not in (r.code or "")


def test_s16_uidonly_ends(site, how, alice, bob):
    deliver(site, alice, 1)
    deliver(site, bob, 1)
    with site.session(alice, how) as k:
        k.ok("ENABLE UIDONLY")
        k.ok("SELECT INBOX")
        assert "UIDREQUIRED" in (k.bad("FETCH 1 FLAGS").code or "")
        assert b"UIDFETCH" in untagged(k.ok("UID FETCH 1 FLAGS"))
        k.unauthenticate()
        k.login(bob)
        k.ok("SELECT INBOX")
        assert untagged(k.ok("FETCH 1 FLAGS")).startswith(b"* 1 FETCH (")


def enabled(k):
    """Every name of the capability list, and what the RFCs enable without listing it."""
    names = sorted(set(k.capability()) | {"IMAP4rev2", "CONDSTORE", "QRESYNC", "UIDONLY"})
    got = k.ok("ENABLE " + " ".join(n for n in names if "=" not in n or n == "UTF8=ACCEPT"))
    return sorted(b" ".join(got.untagged).split()[2:])


def test_s18_whatever_can_be_enabled_ends(site, how, alice, bob):
    with site.session(alice, how) as k:
        first = enabled(k)
        assert {b"IMAP4rev2", b"CONDSTORE", b"QRESYNC", b"UIDONLY"} <= set(first)
        k.unauthenticate()
        k.login(bob)
        assert enabled(k) == first
