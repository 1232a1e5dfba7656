"""MESSAGELIMIT (RFC 9738), INPROGRESS (RFC 9585), and that nothing of them is a user's."""

import re
import time

import pytest

from harness import Site, eml
from settings import PATIENT, both, limit
from test_state_table import deliver


@pytest.fixture(scope="module")
def limited():
    with Site(pool=30, configure=both(PATIENT, limit("messages-per-command", 3))) as s:
        yield s


def uids(response):
    """Of the FETCH or SEARCH responses."""
    found = [int(m[1]) for m in response.find(rb"\* \d+ FETCH \(.*?UID (\d+)")]
    for m in response.find(rb"\* SEARCH((?: \d+)*)$"):
        found += map(int, m[1].split())
    return sorted(found)


def test_capability_and_the_newest_first(limited):
    user = limited.new_user()
    deliver(limited, user, 8)
    with limited.connect() as k:
        assert not [c for c in k.capability() if "LIMIT=" in c and "MESSAGE" in c]
        k.login(user)
        assert "MESSAGELIMIT=3" in k.capability()
        k.select()
        # section 3.1: FETCH
        r = k.ok("FETCH 1:7 (UID FLAGS)")
        assert uids(r) == [5, 6, 7] and r.code == "MESSAGELIMIT 3 5"
        r = k.ok("UID FETCH 1:3 (UID FLAGS)")
        assert uids(r) == [1, 2, 3] and r.code is None
        r = k.no("UID FETCH 1:8 (UID FLAGS) (PARTIAL -1:-4)")
        assert r.code == "MESSAGELIMIT 3"
        r = k.ok("UID FETCH 1:8 (UID FLAGS) (PARTIAL -1:-3)")
        assert uids(r) == [6, 7, 8] and r.code is None
        # SEARCH: what is searched, not what is found
        r = k.ok("UID SEARCH UID 2:7 UNSEEN")
        assert uids(r) == [5, 6, 7] and r.code == "MESSAGELIMIT 3 5"
        r = k.ok("UID SEARCH UID 2:4 UNSEEN")
        assert uids(r) == [2, 3, 4] and r.code is None
        r = k.ok("UID SEARCH UNSEEN SUBJECT meeting")
        assert uids(r) == [6, 7, 8] and r.code == "MESSAGELIMIT 3 6"
        # section 3.4
        r = k.ok("UID SEARCH RETURN (SAVE) ALL")
        assert r.code == "MESSAGELIMIT 3 6"
        assert uids(k.ok("UID FETCH $ (UID)")) == [6, 7, 8]
        # ESEARCH of that mailbox alone; of several all have to fit (RFC 7377 section 2.4)
        r = k.ok("ESEARCH UNSEEN")
        assert r.one(rb".* UID ALL 6:8$") and r.code == "MESSAGELIMIT 3 6"
        k.ok("CREATE other")
        k.ok("APPEND other {}", eml("plain"))
        r = k.ok("ESEARCH IN (mailboxes (other INBOX)) UNSEEN")
        assert r.code == "LIMIT"
        assert k.ok("ESEARCH IN (mailboxes (other none)) UNSEEN").code is None
        # section 3.2
        assert uids(k.ok("UID SEARCH UIDAFTER 6 UID 6:8")) == [7, 8]
        assert uids(k.ok("UID SEARCH UIDBEFORE 2 UID 1:3")) == [1]
        assert not uids(k.ok("UID SEARCH UIDBEFORE 1 UID 1:3"))


def test_changes(limited):
    user = limited.new_user()
    deliver(limited, user, 8)
    with limited.session(user) as k:
        k.ok("CREATE box")
        k.select()
        r = k.ok("UID STORE 1:8 +FLAGS (\\Deleted)")
        assert uids(r) == [6, 7, 8] and r.code == "MESSAGELIMIT 3 6"
        r = k.ok("UID STORE 3:5 +FLAGS (\\Deleted)")
        assert uids(r) == [3, 4, 5] and r.code is None
        # all or nothing
        r = k.no("UID COPY 1:4 box")
        assert r.code == "MESSAGELIMIT 3 2"
        r = k.no("APPEND box {} {} {} {}", *[eml("plain")] * 4)
        assert r.code == "MESSAGELIMIT 3"
        assert k.ok("STATUS box (MESSAGES)").one(rb"\* STATUS box \(MESSAGES (\d+)")[1] == b"0"
        r = k.ok("UID MOVE 1:5 box")
        assert r.code == "MESSAGELIMIT 3 3"
        assert r.one(rb"\* OK \[COPYUID \d+ 3:5 1:3\]")
        k.ok("UID STORE 1:2 +FLAGS (\\Deleted)")
        r = k.ok("UID EXPUNGE 1:8")
        assert len(r.find(rb"\* \d+ EXPUNGE")) == 3 and r.code == "MESSAGELIMIT 3 6"
        # EXPUNGE has no limit
        k.select("box")
        k.append("box", eml("plain"), "(\\Deleted)")
        k.append("box", eml("plain"), "(\\Deleted)")
        r = k.ok("EXPUNGE")
        assert len(r.find(rb"\* \d+ EXPUNGE")) == 5 and r.code is None


def test_beside_another_code(limited):
    user = limited.new_user()
    deliver(limited, user, 5)
    with limited.session(user) as k:
        k.ok("ENABLE QRESYNC")
        k.ok("SELECT INBOX")
        k.ok("UID STORE 3:5 +FLAGS.SILENT (\\Deleted)")
        k.ok("UID STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        r = k.ok("UID EXPUNGE 1:5")
        assert r.code.startswith("HIGHESTMODSEQ")
        assert r.one(rb"\* NO \[MESSAGELIMIT 3 3\]")


def test_s20_a_limit_counts_one_command(limited):
    alice, bob = limited.new_user(), limited.new_user()
    for user in (alice, bob):
        deliver(limited, user, 4)
    with limited.session(alice) as k:
        k.select()
        k.ok("FETCH 1:3 FLAGS")
        assert k.ok("FETCH 1:4 FLAGS").code == "MESSAGELIMIT 3 2"
        k.unauthenticate()
        k.login(bob)
        assert "MESSAGELIMIT=3" in k.capability()
        k.select()
        r = k.ok("FETCH 1:3 (UID)")
        assert uids(r) == [1, 2, 3] and r.code is None
        assert k.ok("FETCH 1:4 (UID)").code == "MESSAGELIMIT 3 2"


def test_s40_progress_is_told_within_its_command_only():
    with Site(pool=4, configure=both(PATIENT, limit("progress-seconds", 1))) as site:
        alice, bob = site.new_user(), site.new_user()
        big = b"Subject: x\r\n\r\n" + b"some words in a line, none of them wanted here\r\n" * 90000
        keys = " ".join(f"NOT TEXT {chr(97 + i % 26) * 9}{i}" for i in range(100))
        with site.session(alice) as k:
            assert "INPROGRESS" in k.capability()
            k.append("INBOX", big)
            k.select()
            while True:
                start = time.monotonic()
                tag, un = "slow", k.tag()
                k.send(f"{tag} SEARCH {keys}\r\n{un} UNAUTHENTICATE\r\n")
                r = k.finish(tag).ok()
                took = time.monotonic() - start
                after = k.finish(un).ok()
                told = r.find(rb'\* OK \[INPROGRESS \("slow" (\d+|NIL) (\d+|NIL)\)\]')
                assert not after.untagged
                k.login(bob)
                assert not any(b"INPROGRESS" in u for u in k.ok("NOOP").untagged)
                if took > 2.5:
                    break
                # a fast machine has more to look through
                k.unauthenticate()
                k.login(alice)
                k.select()
                k.ok("COPY 1:* INBOX")
            assert 1 <= len(told) <= took
            for m in told:
                assert m[1] == b"NIL" or m[2] == b"NIL" or int(m[1]) < int(m[2])
            k.quiet(1.5)
            assert re.search(rb"INPROGRESS", bytes(k.rx))
