"""Users whose passwords saslauthd judges (doc/users.md): what it is asked, what its answers
do, what is known of users whom it never names; a real one."""

import statistics
import time

import pytest

from harness import ADMIN, ADMIN_PW, USER_PW, Site, wait_until
from lmtp import Lmtp, listen
from saslauthd import REAL, Fake, Real, block
from scram import Scram
from settings import PATIENT, both, limit
from userdb import Sqlite, configured

PW = "company's secret"
QUICK = both(limit("recheck-seconds", 1), limit("database-seconds", 1), PATIENT, listen)


@pytest.fixture(scope="module")
def daemon():
    f = Fake()
    f.people = {"carol": PW, "dave": PW}
    yield f
    f.close()


@pytest.fixture(scope="module")
def site(daemon):
    change = configured(block(daemon.path, more="    realm: example.org\n    groups: staff\n"))
    with Site(users=["alice"], configure=both(QUICK, change)) as s:
        yield s


@pytest.fixture(autouse=True)
def healthy(daemon):
    daemon.answer = daemon.judge
    daemon.asked.clear()


def attempt(site, user, password=PW, authzid=""):
    with site.connect() as k:
        return k.authenticate(authzid, user, password)


def test_it_is_asked_for_name_password_service_and_realm(site, daemon):
    attempt(site, "Carol").ok()
    assert daemon.asked == [("carol", PW, "imap", "example.org")]
    attempt(site, "carol").ok()         # remembered
    assert len(daemon.asked) == 1


def test_LOGIN_and_wrong_passwords(site):
    with site.connect() as k:
        k.ok(f'LOGIN carol "{PW}"')
    for user in ("carol", "nobody-here", "alice", ADMIN):
        attempt(site, user, "wrong").no("AUTHENTICATIONFAILED")
    attempt(site, "carol", "x" * 300).no("AUTHENTICATIONFAILED")


def test_what_users_of_the_table_type_is_not_shown_to_it(site, daemon):
    attempt(site, "alice", "alice's old secret").no("AUTHENTICATIONFAILED")
    attempt(site, "alice", USER_PW).ok()
    assert [a[:2] for a in daemon.asked] == [("alice", "\x01")]


def test_unknown_and_wrong_take_the_same_time(site, daemon):
    def slow(*what):
        time.sleep(0.05)
        return daemon.judge(*what)
    daemon.answer = slow
    took = {"carol": [], "nobody-here": [], "alice": []}
    for _ in range(7):
        for user, t in took.items():
            start = time.perf_counter()
            attempt(site, user, "wrong").no("AUTHENTICATIONFAILED")
            t.append(time.perf_counter() - start)
    medians = {u: statistics.median(t) for u, t in took.items()}
    assert max(medians.values()) < 1.5 * min(medians.values()), medians


def test_scram_is_refused_as_for_nobody(site):
    with site.connect() as k:
        for user in ("carol", "nobody-here"):
            assert b"AUTHENTICATIONFAILED" in Scram(k, user, PW).login()


def test_who_has_never_logged_in_has_no_mail_and_is_acted_for_by_nobody(site, daemon):
    with site.connect() as k, Lmtp(site) as m:
        k.authenticate("dave").no("AUTHORIZATIONFAILED")
        m.say("MAIL FROM:<>", 250)
        m.say("RCPT TO:<dave@example.org>", 550, "5.1.1")
        attempt(site, "dave").ok()
        k.authenticate("dave").ok()
        k.unauthenticate()
        m.say("RCPT TO:<dave@example.org>", 250)
        m.say("RCPT TO:<dave+folder>", 250)
        m.say("RCPT TO:<dave2@example.org>", 550, "5.1.1")
        k.authenticate("nobody-here").no("AUTHORIZATIONFAILED")


def test_everybody_is_in_its_groups(site):
    with site.session("alice", password=USER_PW) as a, \
            site.session("carol", password=PW) as c:
        a.ok("CREATE shown")
        a.ok("SETACL shown $staff lr")
        c.ok('EXAMINE "Other Users/alice/shown"')


@pytest.mark.parametrize("said", [
    b"", b"X", b"OKAY", b"okay", b"MAYBE", [b"\x00"], [b"\x00\x02O"], [b""], [b"\xff\xff" + b"OK"],
    [b"\x00\x01O"]], ids=repr)
def test_an_answer_that_is_not_well_formed_is_no_login(site, daemon, said):
    daemon.answer = lambda *what: said
    wait_until(lambda: attempt(site, "carol", "never seen").code == "UNAVAILABLE")
    daemon.answer = daemon.judge
    wait_until(lambda: attempt(site, "carol", "never seen").code == "AUTHENTICATIONFAILED")


@pytest.mark.parametrize("said", [b"OK", b"OK (a text)", [b"\x00", b"\x02", b"O", b"K"],
                                  [b"\x00\x03OK\x00"]], ids=repr)
def test_answers_that_are_a_login(site, daemon, said):
    daemon.answer = lambda *what: said
    attempt(site, "carol", f"new {said}").ok()


def test_one_that_says_nothing_or_is_away(site, daemon):
    n = len(site.log())
    daemon.answer = lambda *what: None
    start = time.monotonic()
    attempt(site, "carol", "unheard of").no("UNAVAILABLE")
    assert 0.9 < time.monotonic() - start < 5
    attempt(site, "alice", "wrong").no("UNAVAILABLE")
    attempt(site, "alice", USER_PW).ok()
    said = site.wait_log(lambda e: e.get("event") == "database_down", n)
    assert "in time" in said["reason"]
    daemon.down()
    wait_until(lambda: attempt(site, "carol", "unheard of").code == "UNAVAILABLE")
    daemon.answer = daemon.judge
    daemon.up()
    wait_until(lambda: attempt(site, "carol").status == "OK")
    site.wait_log(lambda e: e.get("event") == "database_up", n)


@pytest.mark.parametrize("odd", ["per%", "x)(uid=*", "a\\", "cafe\u0301", "../carol", "x" * 256],
                         ids=repr)
def test_odd_names_are_not_asked_for(site, daemon, odd):
    attempt(site, odd).no("AUTHENTICATIONFAILED")
    assert daemon.asked == []


def test_a_directory_that_names_the_daemon(daemon):
    """Who there is stands in SQLite, and saslauthd judges the passwords."""
    db = Sqlite()
    db.put("erin")
    db.sql("UPDATE people SET password = '$saslauthd$company', groups = 'ops'")
    daemon.people["erin"] = PW
    change = configured(db.block(), block(daemon.path, more="    everybody: false\n"))
    with Site(users=["alice"], configure=both(QUICK, change)) as s:
        with Lmtp(s) as m:
            m.say("MAIL FROM:<>", 250)
            m.say("RCPT TO:<erin>", 250)
            m.say("RCPT TO:<carol>", 550)
        attempt(s, "erin").ok()
        attempt(s, "erin", "wrong").no("AUTHENTICATIONFAILED")
        attempt(s, "carol").no("AUTHENTICATIONFAILED")
        with s.connect() as k:
            k.login("erin", PW)
            db.drop("erin")
            k.expect_bye()
    db.close()


@pytest.mark.skipif(not REAL, reason="saslauthd (Debian: sasl2-bin) is not installed")
def test_a_real_saslauthd():
    """It asks another site, by LOGIN."""
    with Site(users=["carol", "o'brien"]) as far:
        real = Real(far.ports["imap"])
        try:
            with Site(users=["alice"], configure=both(QUICK, configured(block(real.path)))) as s:
                for user in ("carol", "o'brien"):
                    attempt(s, user, USER_PW).ok()
                    attempt(s, user, "wrong").no("AUTHENTICATIONFAILED")
                attempt(s, "nobody-here", USER_PW).no("AUTHENTICATIONFAILED")
                attempt(s, ADMIN, ADMIN_PW, "carol").ok()
        finally:
            real.close()
