"""What searches leave behind ends with the session (state table of RFC 8437,
doc/unauthenticate.md)."""

import pytest

from test_state_table import deliver

OPEN = 33       # one more than are kept


def contexts(k):
    """Opens as many as there are; how many were kept."""
    kept = 0
    for i in range(OPEN):
        r = k.ok("UID SEARCH RETURN (UPDATE COUNT) FLAGGED", tag=f"ctx{i}")
        kept += not r.find(rb"\* NO \[NOUPDATE")
    return kept


@pytest.mark.parametrize("end", ["UNSELECT", "nothing"])
def test_s34_searches_kept_up_to_date_are_ended(site, how, alice, bob, end):
    for user in (alice, bob):
        deliver(site, user)
    with site.session(alice, how) as k, site.session(alice) as w:
        k.select()
        kept = contexts(k)
        assert 0 < kept < OPEN
        if end == "UNSELECT":
            k.ok("UNSELECT")
        k.unauthenticate()
        k.login(bob)
        k.select()
        w.select()
        w.ok("STORE 1 +FLAGS (\\Flagged)")
        assert not k.ok("NOOP").find(rb"\* ESEARCH")
        k.bad("SEARCH RETURN (UPDATE")
        assert contexts(k) == kept          # the same tags, and as many
        r = k.ok("STORE 1 +FLAGS (\\Flagged)")
        assert len(r.find(rb"\* ESEARCH .* ADDTO \(0 1\)")) == kept
        k.ok('CANCELUPDATE "ctx0" "ctx1"')
        r = k.ok("STORE 1 -FLAGS (\\Flagged)")
        assert len(r.find(rb"\* ESEARCH .* REMOVEFROM \(0 1\)")) == kept - 2


def test_s35_results_are_found_anew(site, how, alice, bob):
    for _ in range(3):
        deliver(site, alice)
    deliver(site, bob)
    with site.session(alice, how) as k:
        k.select()
        for user in (alice, bob):
            n = 3 if user == alice else 1
            r = k.ok("UID SEARCH RETURN (PARTIAL 1:5 COUNT CONTEXT) ALL", tag="same")
            r.one(rb"\* ESEARCH \(TAG \"?same\"?\) UID PARTIAL \(1:5 (1:3|1)\) COUNT %d$" % n)
            r = k.ok("UID SORT RETURN (PARTIAL 1:5 COUNT) (DATE) UTF-8 ALL", tag="sorted")
            r.one(rb"\* ESEARCH \(TAG \"?sorted\"?\) UID PARTIAL \(.*\) COUNT %d$" % n)
            if user == alice:
                k.unauthenticate()
                k.login(bob)
                k.select()


def test_s35_a_search_of_many_mailboxes_ends_before_the_session(site, how, alice, bob):
    for user in (alice, bob):
        with site.session(user) as w:
            for i in range(40):
                w.ok(f"CREATE m{i}")
                w.ok(f"APPEND m{i} {{}}", b"Subject: %s\r\n\r\nhello\r\n" % user.encode())
    with site.session(alice, how) as k:
        t = k.start("ESEARCH IN (personal) RETURN (ALL) BODY hello")
        u = k.start("UNAUTHENTICATE")       # in the same breath
        assert len(k.finish(t).ok().find(rb"\* ESEARCH .* UID ALL 1$")) == 40
        assert not k.finish(u).ok().untagged
        k.login(bob)
        assert not k.ok(f"ESEARCH IN (personal) SUBJECT {alice}").untagged
        assert len(k.ok(f"ESEARCH IN (subtree m7 personal) SUBJECT {bob}").untagged) == 40
