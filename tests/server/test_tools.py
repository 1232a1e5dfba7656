"""What the command line does to clients that are connected: SIGTERM, SIGHUP, users that
go, and a site that was killed.  (tests/tools has the commands themselves.)"""

import os
import signal
import threading

import pytest

from harness import ADMIN, ADMIN_PW, USER_PW, Site, eml, plain, run, wait_until
from settings import PATIENT


def test_init_takes_port_0_and_says_the_chosen_one():
    with Site(pool=2) as site:
        text = (site.dir / "mailstile.yaml").read_text()
        assert text.count("port: 0") == 2
        assert site.ports["imap"] > 0 and site.ports["imaps"] > 0
        assert site.ports["imap"] != site.ports["imaps"]


def test_plaintext_login_is_off_unless_asked_for():
    with Site(pool=2, plaintext=False) as site:
        with site.connect("plain") as c:
            assert "LOGINDISABLED" in c.capability()
        with site.connect("tls") as c:
            assert "LOGINDISABLED" not in c.capability()
            c.login(site.new_user())


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_sigterm_says_bye_in_every_state(how):
    with Site(pool=6) as site:
        users = [site.new_user() for _ in range(4)]
        fresh = site.connect(how)
        authenticated = site.session(users[0], how)
        selected = site.session(users[1], how)
        selected.select()
        idle = site.session(users[2], how)
        idle.select()
        idle.start("IDLE")
        assert idle.response().startswith(b"+")
        after = site.session(users[3], how)
        after.unauthenticate()
        site.terminate()
        for c in (fresh, authenticated, selected, idle, after):
            c.expect_bye()
            c.close()


def test_sigterm_finishes_replies_in_flight_and_what_was_answered_is_durable():
    with Site(pool=4) as site:
        alice = site.new_user()
        body = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 250_000     # 4 MB
        with site.session(alice) as k:
            k.append("INBOX", body)
            k.select()
            k.send("a FETCH 1 BODY.PEEK[]\r\n")
            head = k.line()
            assert head.startswith(b"* 1 FETCH (BODY[] {%d}" % len(body))
            site.terminate()
            assert k.take(len(body)) == body
            rest = k.expect_eof()
            assert rest.startswith(b")\r\na OK") and b"\r\n* BYE" in rest, rest
        site.stop()
        site.start()
        with site.session(alice) as k:
            assert k.select().exists == 1


def test_sigterm_under_load_loses_nothing_that_was_acknowledged():
    with Site(pool=12, configure=PATIENT) as site:
        users = [site.new_user() for _ in range(8)]
        counts = dict.fromkeys(users, 0)
        message = eml("plain")

        def work(user):
            try:
                with site.session(user, "tls") as k:
                    while True:
                        k.append("INBOX", message)
                        counts[user] += 1
            except (EOFError, OSError, AssertionError):
                pass
        threads = [threading.Thread(target=work, args=(u,)) for u in users]
        for t in threads:
            t.start()
        wait_until(lambda: all(n > 5 for n in counts.values()), what="some work")
        site.stop()
        for t in threads:
            t.join()
        site.start()
        for user in users:
            with site.session(user) as k:
                exists = k.select().exists
                # one more may have been stored whose answer did not arrive
                assert counts[user] <= exists <= counts[user] + 1


def test_kill_loses_nothing_that_was_acknowledged():
    with Site(pool=4) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            for i in range(20):
                k.append("INBOX", eml("plain"), f"(kw{i})")
            k.select()
            k.ok("STORE 1:5 +FLAGS.SILENT (\\Deleted)")
            k.ok("EXPUNGE")
            k.ok("CREATE box")
            k.ok("COPY 1:5 box")
            os.kill(site.proc.pid, signal.SIGKILL)
            site.proc.wait()
            site.proc = None
        run("check", site.dir)
        site.start()
        with site.session(alice) as k:
            assert k.select().exists == 15
            k.ok("FETCH 1 FLAGS").one(rb".*kw5")
            assert k.select("box").exists == 5


def test_sighup_leaves_sessions_alone():
    with Site(pool=4) as site:
        alice = site.new_user()
        with site.session(alice, "tls") as k:
            k.select()
            for _ in range(5):
                site.hangup()
                k.ok("NOOP")
            k.unauthenticate()
            k.login(alice)


def test_a_deleted_user_is_out_wherever_he_is():
    with Site(pool=4) as site:
        alice, bob = site.new_user(), site.new_user()
        own = site.session("carol", password=USER_PW)
        acted = site.session("carol", "tls")
        acted.select()
        stays = site.session(bob)
        switched = site.session("carol")
        switched.unauthenticate()
        switched.login(alice)
        run("user", "del", site.dir, "carol")
        own.expect_bye()
        acted.expect_bye()
        stays.ok("NOOP")
        switched.ok("NOOP")
        stays.unauthenticate()
        stays.authenticate("carol").no("AUTHORIZATIONFAILED")
        for c in (own, acted, stays, switched):
            c.close()


def test_a_locked_administrator_is_out_and_cannot_come_back():
    with Site(pool=4) as site:
        run("user", "add", site.dir, "second", "--admin", "--password-file", site.pw_file)
        alice = site.new_user()
        with site.connect() as k, site.session(alice) as stays:
            k.authenticate(alice, "second", USER_PW).ok()
            run("user", "passwd", site.dir, "second", "--no-password")
            k.expect_bye()
            stays.ok("NOOP")
        with site.connect() as k:
            k.authenticate(alice, "second", USER_PW).no("AUTHENTICATIONFAILED")


def test_a_new_password_counts_at_once_though_the_old_one_was_remembered():
    with Site(pool=4) as site:
        with site.session("alice", password=USER_PW):
            pass
        new = site.password_file("new", "another one")
        run("user", "passwd", site.dir, "alice", "--password-file", new)
        with site.connect() as k:
            k.authenticate("", "alice", USER_PW).no("AUTHENTICATIONFAILED")
            k.authenticate("", "alice", "another one").ok()


def test_check_beside_a_running_server_changes_nothing():
    with Site(pool=4) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            k.append("INBOX", eml("multi"))
            run("check", site.dir)
            k.select()
            k.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN "
                   f"{plain(alice, ADMIN, ADMIN_PW)}\r\n")
            k.finish("a").ok()
            k.finish("b").ok()
            run("check", site.dir)
