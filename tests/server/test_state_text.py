"""What is said in which language and compared how ends with the session (state table of
RFC 8437, doc/unauthenticate.md)."""

from test_state_table import deliver


def test_s37_the_comparator_is_the_default_again(site, how, alice, bob):
    deliver(site, bob)
    with site.session(alice, how) as k:
        k.ok("COMPARATOR i;octet").one(rb"\* COMPARATOR i;octet$")
        k.unauthenticate()
        k.login(bob)
        k.ok("COMPARATOR").one(rb"\* COMPARATOR i;unicode-casemap$")
        k.ok("SELECT INBOX")
        assert k.ok('SEARCH FROM "FOOBAR"').one(rb"\* SEARCH(.*)")[1] == b" 1"
