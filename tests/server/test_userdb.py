"""Users in databases (doc/users.md): who they are, what they may, what is refused, what
happens when the database does not answer, and when it forgets somebody."""

import base64
import contextlib
import itertools
import statistics
import time

import pytest

from harness import ADMIN, ADMIN_PW, Site, b, wait_until
from lmtp import Lmtp, listen, mails
from scram import Scram, ok
from settings import PATIENT, both, limit
from userdb import Sqlite, configured, scram_keys

KINDS = {"sqlite": Sqlite}
NUMBERS = itertools.count()
PW = "people's secret"
QUICK = both(limit("recheck-seconds", 1), limit("database-seconds", 2), PATIENT, listen)


@pytest.fixture(scope="module", params=KINDS)
def db(request):
    d = KINDS[request.param]()
    yield d
    d.close()


@pytest.fixture(scope="module")
def site(db):
    with Site(users=["alice"], configure=both(QUICK, configured(db.block()))) as s:
        yield s


@pytest.fixture
def name(db):
    """Somebody of the database with a password."""
    n = f"person{next(NUMBERS)}"
    db.put(n, PW)
    yield n
    db.drop(n)


def wrong(conn, authcid, password="wrong", authzid=""):
    return conn.authenticate(authzid, authcid, password)


@contextlib.contextmanager
def gone(db):
    """It does not answer meanwhile."""
    db.down()
    try:
        yield
    finally:
        db.up()


# ---- who they are ----------------------------------------------------------------------

def test_a_user_of_the_database_has_his_own_mail(site, db, name):
    db.put("other-one", PW)
    with site.session(name, password=PW) as k, site.session("other-one", password=PW) as o:
        k.append("INBOX", b"Subject: mine\r\n\r\nx\r\n")
        assert k.select().exists == 1
        assert o.select().exists == 0
    with site.session(name, password=PW) as k:
        assert k.select().exists == 1
        assert "UNAUTHENTICATE" not in k.capability()


def test_the_table_comes_first(site, db):
    db.put("alice", "the database's secret")
    with site.connect() as k:
        wrong(k, "alice", "the database's secret").no("AUTHENTICATIONFAILED")
        k.login("alice", "user's secret")
    db.drop("alice")


def test_LOGIN_and_names_in_any_case(site, name):
    with site.connect() as k:
        k.ok(f'LOGIN {name.upper()} "{PW}"')


def test_scram_keys_of_the_database(site, db, name):
    db.put(name, scram_sha_256=scram_keys(PW))
    with site.connect() as k:
        assert not ok(Scram(k, name, "wrong").login())
        assert ok(Scram(k, name, PW).login())
    with site.connect() as k:       # no crypt(5) string: not by PLAIN
        wrong(k, name, PW).no("AUTHENTICATIONFAILED")


def test_the_salt_of_nobody_is_always_the_same(site, name):
    with site.connect() as k:
        seen = []
        for n in ("nobody-here", "nobody-here", name):
            first = Scram(k, n, PW)
            seen.append(first.first())
            first.finish(first.final(seen[-1]))
        assert seen[0]["s"] == seen[1]["s"] != seen[2]["s"]


def test_an_account_of_the_database_outlives_its_name(site, db):
    uuid = "0b5c1f2e-7a34-4d11-9c1b-6f3e8a9d0c2b"
    db.put("before", PW, account=uuid)
    with site.session("before", password=PW) as k:
        k.append("INBOX", b"Subject: kept\r\n\r\nx\r\n")
    db.drop("before")
    db.put("behind", PW, account=uuid.replace("-", "").upper())
    with site.session("behind", password=PW) as k:
        assert k.select().exists == 1
    db.drop("behind")


def test_a_locked_user_cannot_log_in_but_is_acted_for(site, db, name):
    for lock in ("!" + "x" * 10, "*", None):
        db.put(name, **({"account": None} if lock is None else {}))
        db.sql(f"UPDATE people SET password = {db.mark} WHERE name = {db.mark}", lock, name)
        with site.connect() as k:
            wrong(k, name, PW).no("AUTHENTICATIONFAILED")
            k.authenticate(name).ok()


# ---- whom they may act for -------------------------------------------------------------

def test_an_administrator_of_the_table_acts_for_users_of_the_database(site, name):
    with site.connect() as k:
        for user in (name, "alice", name):
            k.authenticate(user).ok()
            k.append("INBOX", b"Subject: x\r\n\r\nx\r\n")
            k.unauthenticate()
        assert ok(Scram(k, ADMIN, ADMIN_PW, name).login())
        assert k.select().exists == 2


def test_the_database_makes_administrators(site, db, name):
    db.put("chief", PW, role="admin")
    with site.connect() as k:
        k.authenticate(name, "chief", PW).ok()
        k.unauthenticate()
        k.authenticate("alice", "chief", PW).ok()
        k.unauthenticate()
        k.authenticate(ADMIN, "chief", PW).no("AUTHORIZATIONFAILED")
        k.authenticate("nobody-here", "chief", PW).no("AUTHORIZATIONFAILED")
    db.drop("chief")


def test_others_act_for_nobody_whether_he_exists_or_not(site, db, name):
    db.put("second", PW, scram_sha_256=scram_keys(PW))
    with site.connect() as k:
        for user in (name, "alice", "nobody-here", ADMIN):
            for authcid, password in ((name, PW), ("second", PW)):
                if user != authcid:
                    k.authenticate(user, authcid, password).no("AUTHORIZATIONFAILED")
            assert b"AUTHORIZATIONFAILED" in Scram(k, "second", PW, user).login().tagged
            k.authenticate(user, "second", "wrong").no("AUTHENTICATIONFAILED")
    db.drop("second")


def test_a_role_counts_only_where_the_configuration_says_so(db):
    db.put("chief", PW, role="admin")
    with Site(users=["alice"], configure=both(QUICK, configured(db.block(more="")))) as s:
        with s.connect() as k:
            k.authenticate("alice", "chief", PW).no("AUTHORIZATIONFAILED")
            k.authenticate("", "chief", PW).ok()
    db.drop("chief")


# ---- groups and rights -----------------------------------------------------------------

def test_groups_are_fetched_at_each_login(site, db, name):
    with site.session("alice", password="user's secret") as a:
        a.cmd("CREATE team-box")
        a.ok("SETACL team-box $readers lr")
        db.put(name, PW, groups="Writers, readers")
        with site.session(name, password=PW) as k:
            k.ok('EXAMINE "Other Users/alice/team-box"')
        db.put(name, PW, groups="writers")
        with site.session(name, password=PW) as k:
            k.no('EXAMINE "Other Users/alice/team-box"')
        a.ok("DELETE team-box")


def test_users_of_the_database_share_with_each_other(site, db, name):
    db.put("sharer", PW)
    with site.session("sharer", password=PW) as s:
        s.ok("CREATE given")
        s.ok(f"SETACL given {name} lr")
    site.restart()      # nothing is known of anybody
    with site.session(name, password=PW) as k:
        assert k.ok('LIST "" "Other Users/*"').find(rb'.*"Other Users/sharer/given"')
        k.ok('EXAMINE "Other Users/sharer/given"')
    db.drop("sharer")


# ---- what may not be learned -----------------------------------------------------------

def test_unknown_and_wrong_get_the_same_answer(site, name):
    with site.connect() as k:
        answers = set()
        for authcid in (name, "nobody-here", "alice", ADMIN):
            for authzid in ("", "alice", "nobody-here"):
                r = wrong(k, authcid, authzid=authzid)
                answers.add((r.status, r.code, r.text, tuple(r.untagged)))
            assert b"AUTHENTICATIONFAILED" in Scram(k, authcid, "wrong").login()
        assert len(answers) == 1, answers


def test_unknown_and_wrong_take_the_same_time(site, name):
    took = {name: [], "nobody-here": [], "alice": []}
    with site.connect() as k:
        k.authenticate("", name, PW).ok()       # what hashes here cost is known
    with site.connect() as k:
        for _ in range(15):
            for authcid in took:
                start = time.perf_counter()
                wrong(k, authcid).no()
                took[authcid].append(time.perf_counter() - start)
    medians = {n: statistics.median(t) for n, t in took.items() if n != "alice"}
    assert max(medians.values()) < 1.6 * min(medians.values()), medians


ODD = [b"a\nb", b"per%", b"%", b"person*", b"pers?n1", b"x' OR '1'='1",
       b"x\\", b"(x)", b"../x", b"a/b", "cafe\u0301".encode(), "\u212bngstr\u00f6m".encode(),
       b"\xff\xfe", b"x" * 256, b"x" * 65536, b"#operator", b"a:b", b"a b",
       b"'; DROP TABLE people; --"]


@pytest.mark.parametrize("odd", ODD, ids=lambda n: repr(n[:20]))
def test_odd_names_are_nobody(site, db, odd):
    with contextlib.suppress(UnicodeDecodeError):
        db.put(odd.decode(), PW)
    with site.connect() as k:
        r = k.cmd("AUTHENTICATE PLAIN " + base64.b64encode(
            b"\0" + odd + b"\0" + b(PW)).decode())
        assert r.status in ("NO", "BAD"), r
    with site.connect() as k:
        r = k.cmd("AUTHENTICATE PLAIN " + base64.b64encode(
            odd + b"\0" + b(ADMIN) + b"\0" + b(ADMIN_PW)).decode())
        assert r.status in ("NO", "BAD"), r
    if b"\n" not in odd and len(odd) < 1000:
        with Lmtp(site) as m:
            m.say("MAIL FROM:<>", 250)
            m.send(b"RCPT TO:<" + odd.replace(b"\\", b"\\\\") + b">\r\n")
            assert m.reply().code // 100 == 5
    assert db.sql("SELECT count(*) FROM people")[0][0] >= 0
    with contextlib.suppress(UnicodeDecodeError):
        db.drop(odd.decode())


def test_a_name_with_a_NUL_is_nobody(site, name):
    with site.connect() as k:
        wrong(k, name + "\0x", PW).no("AUTHENTICATIONFAILED")


# ---- mail ------------------------------------------------------------------------------

def test_mail_for_a_user_of_the_database(site, name):
    text = b"Subject: hello\r\n\r\nx\r\n"
    with Lmtp(site) as m:
        m.deliver(text, name)
        m.deliver(text, f"{name}+folder@example.org")
        m.say("MAIL FROM:<>", 250)
        m.say("RCPT TO:<nobody-here@example.org>", 550, "5.1.1")
    assert len(mails(site, name)) == 2


# ---- a database that does not answer ---------------------------------------------------

def test_down_and_up_again(site, db, name):
    with site.session(name, password=PW) as stays, site.connect() as k:
        n = len(site.log())
        with gone(db):
            wait_until(lambda: wrong(k, name, PW).code == "UNAVAILABLE")
            wrong(k, "nobody-here").no("UNAVAILABLE")
            wrong(k, "alice").no("UNAVAILABLE")     # as good as nobody
            assert b"UNAVAILABLE" in Scram(k, name, PW).login()
            k.authenticate(name).no("UNAVAILABLE")
            k.authenticate("alice").ok()            # both of the table
            k.unauthenticate()
            with Lmtp(site) as m:
                m.say("MAIL FROM:<>", 250)
                m.say(f"RCPT TO:<{name}>", 451, "4.3.0")
                m.say("RCPT TO:<alice>", 250)
            said = site.wait_log(lambda e: e.get("event") == "database_down", n)
            assert said["database"] == "people" and said["reason"], said
            time.sleep(1.5)                         # a recheck
            stays.ok("NOOP")
        wait_until(lambda: k.authenticate("", name, PW).status == "OK")
        site.wait_log(lambda e: e.get("event") == "database_up", n)
        stays.ok("NOOP")


# ---- rights that end -------------------------------------------------------------------

def test_who_is_deleted_is_logged_out(site, db, name):
    with site.session(name, password=PW) as k, site.session(name) as acted:
        k.ok("NOOP")
        db.drop(name)
        for c in (k, acted):
            assert b"no longer allowed" in c.expect_bye()


def test_who_is_locked_is_logged_out_and_who_acts_for_him_stays(site, db, name):
    with site.session(name, password=PW) as k, site.session(name) as acted:
        db.sql(f"UPDATE people SET password = '*' WHERE name = {db.mark}", name)
        k.expect_bye()
        acted.ok("NOOP")


def test_who_is_no_administrator_any_more_is_logged_out(site, db, name):
    db.put("chief", PW, role="admin")
    with site.connect() as k:
        k.authenticate(name, "chief", PW).ok()
        db.put("chief", PW)
        k.expect_bye()
    db.drop("chief")


def test_a_changed_password_holds_at_once(site, db, name):
    with site.connect() as k, site.connect() as other:
        k.login(name, PW)
        db.put(name, "another one")
        wrong(other, name, PW).no("AUTHENTICATIONFAILED")
        other.login(name, "another one")


# ---- what a database may not say -------------------------------------------------------

@pytest.mark.parametrize("columns", [
    {"account": "12"}, {"account": "g" * 32}, {"role": "root"}, {"groups": "a=b"},
    {"password": "plain text"}, {"password": "$y$x:admin"}, {"password": "$y$x\nroot::"},
    {"scram_sha_256": "SCRAM-SHA-256$1:AA==$AA==:AA=="}], ids=str)
def test_a_row_that_cannot_be_used(site, db, name, columns):
    db.put(name)
    for column, value in columns.items():
        db.sql(f"UPDATE people SET {column} = {db.mark} WHERE name = {db.mark}", value, name)
    n = len(site.log())
    with site.connect() as k:
        wrong(k, name, PW).no("UNAVAILABLE")
        k.authenticate(name).no("UNAVAILABLE")
    site.wait_log(lambda e: e.get("event") == "database_down", n)
    with site.connect() as k:       # which harms nobody else
        wrong(k, "nobody-here").no("AUTHENTICATIONFAILED")
