"""Requirements U1-U41 of RFC 8437 and decisions D1-D18 (doc/unauthenticate.md) that
no row of the state table or transcript shows."""

import random
import re
import time

import pytest

from harness import (ADMIN, ADMIN_PW, USER_PW, Site, eml, plain, readable, run,
                     wait_until)
from settings import both, limit


def test_U1_capability_has_no_value(site, how, alice):
    with site.session(alice, how) as k:
        caps = k.capability()
        assert caps.count("UNAUTHENTICATE") == 1
        assert not [c for c in caps if c.startswith("UNAUTHENTICATE=")]


def test_U2_legal_in_authenticated_and_in_selected_state(site, how, alice):
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.login(alice)
        k.select()
        k.unauthenticate()
        k.login(alice)
        k.select(examine=True)
        k.unauthenticate()
        k.login(alice)
        k.select()
        k.ok("CLOSE")
        k.unauthenticate()


def test_U6_no_untagged_response_though_much_has_changed(site, how, alice):
    with site.session(alice, how) as k, site.session(alice) as w:
        k.select()
        for _ in range(5):
            w.append("INBOX", eml("plain"))
        w.select()
        w.ok("STORE 1:2 +FLAGS (\\Deleted)")
        w.ok("EXPUNGE")
        # `unauthenticate` asserts that nothing untagged came
        k.unauthenticate()


def test_U7_never_no_and_U8_bad_leaves_the_state_alone(site):
    """Random beginnings and ends of the command, in every state: OK or BAD."""
    rng = random.Random(8437)
    alice = site.new_user()
    words = ["UNAUTHENTICATE", "unauthenticate", "UnAuthenticate", "UNAUTHENTICATE ",
             "UNAUTHENTICATE\t", "UNAUTHENTICATE NIL", "UNAUTHENTICATE (a b)",
             "UNAUTHENTICATE \"x", "UNAUTHENTICATE *", "UNAUTHENTICAT", " UNAUTHENTICATE",
             "UNAUTHENTICATE UNAUTHENTICATE", "UNAUTHENTICATE {0+}\r\n",
             "UNAUTHENTICATE {3+}\r\nabc"]
    with site.session(alice, "tls") as k:
        state = "auth"
        for _ in range(100):
            burst, tags = "", []
            for i in range(100):
                what = rng.choice(words + ["SELECT INBOX", "CLOSE", "NOOP",
                                           "AUTHENTICATE PLAIN "
                                           + plain(alice, ADMIN, ADMIN_PW)])
                burst += f"t{i} {what}\r\n"
                tags.append((f"t{i}", what))
            k.send(burst)
            for tag, what in tags:
                r = k.finish(tag)
                exact = what.upper() == "UNAUTHENTICATE"
                if "UNAUTH" in what.upper():
                    assert r.status == ("OK" if exact and state != "no" else "BAD"), \
                        (what, state, r)
                    if exact:
                        state = "no"
                elif what.startswith("AUTH"):
                    assert r.status == ("OK" if state == "no" else "BAD"), (state, r)
                    state = "auth" if state == "no" else state
                elif what.startswith("SELECT"):
                    assert r.status == ("BAD" if state == "no" else "OK"), (state, r)
                    state = "selected" if state != "no" else state
                elif what == "CLOSE":
                    assert r.status == ("OK" if state == "selected" else "BAD"), (state, r)
                    state = "auth" if state == "selected" else state
                else:
                    r.ok()


def test_U12_login_or_authenticate_may_follow(site, how, alice):
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.ok(f'LOGIN alice "{USER_PW}"')
        k.bad("UNAUTHENTICATE")              # alice is no administrator
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.ok(f'LOGIN {ADMIN} "{ADMIN_PW}"')
        k.unauthenticate()
        tag = k.start("AUTHENTICATE PLAIN")
        assert k.response().startswith(b"+ ")
        k.send(plain("", "bob", USER_PW) + "\r\n")
        k.finish(tag).ok()


def test_U15_pipelined_authenticate_never_meets_the_old_user(site, how, alice, bob):
    with site.session(alice, how) as k:
        for i in range(50):
            user = (bob, alice)[i % 2]
            k.send(f"u{i} UNAUTHENTICATE\r\na{i} AUTHENTICATE PLAIN "
                   f"{plain(user, ADMIN, ADMIN_PW)}\r\ns{i} SELECT INBOX\r\n")
        for i in range(50):
            for t in "uas":
                k.finish(f"{t}{i}").ok()


def test_U16_capability_only_after_login(site, how, alice):
    with site.connect(how) as k:
        assert b"UNAUTHENTICATE" not in k.greeting
        assert "UNAUTHENTICATE" not in k.capability()
        assert "UNAUTHENTICATE" in k.login(alice).code.split()


def test_U39_flags_and_privileges_are_not_inherited(site, how, alice, bob):
    with site.session(ADMIN, how) as k:
        k.unauthenticate()
        k.authenticate("", "alice", USER_PW).ok()
        # alice's own session cannot become somebody
        k.bad("UNAUTHENTICATE")
        k.bad(f"AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW)}")


def test_U41_login_and_authenticate_stay_illegal_after_login(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok("CREATE mine")
        k.bad(f"AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW)}")
        k.bad(f'LOGIN alice "{USER_PW}"')
        k.send("x AUTHENTICATE PLAIN\r\n")
        assert k.finish("x").status == "BAD"
        assert b"mine" in repr(k.ok('LIST "" *')).encode()


def test_D3_earlier_commands_finish_first(site, how, alice, bob):
    """COPY, APPEND and SEARCH in flight are answered before the switch."""
    with site.session(alice) as w:
        w.ok("CREATE box")
        for _ in range(50):
            w.finish(w.start("APPEND INBOX {}", eml("multi"))).ok()
    with site.session(alice, how) as k:
        k.select()
        message = eml("plain")
        k.send(b"a COPY 1:50 box\r\nb APPEND box {%d+}\r\n" % len(message) + message
               + b"\r\nc SEARCH TEXT cafe\r\nd UID MOVE 1:25 box\r\ne UNAUTHENTICATE\r\n"
               + f"f AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW)}\r\n".encode()
               + b"g STATUS INBOX (MESSAGES)\r\n")
        for t in "abcdefg":
            r = k.finish(t).ok()
        r.one(rb'\* STATUS "?INBOX"? \(MESSAGES 0\)')
        k.unauthenticate()
        k.login(alice)
        k.ok("STATUS box (MESSAGES)").one(rb'\* STATUS "?box"? \(MESSAGES 76\)')
        k.ok("STATUS INBOX (MESSAGES)").one(rb'\* STATUS "?INBOX"? \(MESSAGES 25\)')


def test_D4_commands_behind_it_never_run_as_the_old_user(site, how, alice):
    with site.session(alice, how) as k:
        message = eml("plain")
        k.send(b"a UNAUTHENTICATE\r\nb CREATE evil\r\nc APPEND INBOX {%d+}\r\n"
               % len(message) + message + b"\r\nd NOOP\r\ne CAPABILITY\r\nf UNAUTHENTICATE\r\n")
        k.finish("a").ok()
        k.finish("b").bad()
        k.finish("c").bad()
        k.finish("d").ok()
        k.finish("e").ok()
        k.finish("f").bad()
    with site.session(alice) as w:
        assert b"evil" not in repr(w.ok('LIST "" *')).encode()
        assert w.select().exists == 0


def test_D8_failed_logins_count_on_over_unauthenticate():
    """S63: limit 3: fail, fail, log in, UNAUTHENTICATE, fail: the end."""
    with Site(pool=4, configure=both(limit("failed-logins", 3),
                                     limit("free-failures", 1000))) as site:
        alice = site.new_user()
        with site.connect() as k:
            k.authenticate(alice, ADMIN, "guess").no("AUTHENTICATIONFAILED")
            k.authenticate(alice, ADMIN, "guess").no("AUTHENTICATIONFAILED")
            k.login(alice)
            k.unauthenticate()
            k.send(f"x AUTHENTICATE PLAIN {plain(alice, ADMIN, 'guess')}\r\n")
            rest = k.expect_eof()
            assert b"* BYE" in rest and b"x OK" not in rest, rest
        with site.connect() as k:                # the connection's own counter
            k.authenticate(alice, ADMIN, "guess").no("AUTHENTICATIONFAILED")
            k.login(alice)


def test_D8_delay_grows_for_an_address_and_no_login_takes_it_back():
    with Site(pool=4, configure=both(
            limit("failed-logins", 100), limit("free-failures", 2),
            limit("first-delay-milliseconds", 400),
            limit("longest-delay-milliseconds", 1000))) as site:
        alice = site.new_user()

        def seconds(c, password):
            start = time.monotonic()
            c.authenticate(alice, ADMIN, password)
            return time.monotonic() - start

        with site.connect() as k:
            seconds(k, ADMIN_PW)                 # the hash is remembered from here on
            k.unauthenticate()
            for _ in range(3):
                seconds(k, "guess")
            assert seconds(k, ADMIN_PW) >= 0.35
            k.unauthenticate()
            assert seconds(k, ADMIN_PW) >= 0.35


def test_D9_users_slot_is_released_before_the_ok():
    """S64: one session for each user."""
    with Site(pool=4, configure=limit("sessions-per-user", 1)) as site:
        alice, bob = site.new_user(), site.new_user()
        with site.session(alice) as k:
            with site.connect() as w:
                w.authenticate(alice).no("LIMIT")
                k.unauthenticate()
                w.login(alice)
                k.authenticate(alice).no("LIMIT")
                k.bad("SELECT INBOX")
                k.login(bob)
                w.logout()
            k.unauthenticate()
            wait_until(lambda: k.authenticate(alice).status == "OK",
                       what="slot of a connection that ended")


def test_D9_switches_above_the_rate_wait():
    with Site(pool=4, configure=limit("switches-per-minute", 30)) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            done = 0
            while done < 100:
                tag = k.start("UNAUTHENTICATE")
                if not readable(k, 1.5):
                    break
                k.finish(tag).ok()
                k.login(alice)
                done += 1
            assert 20 <= done <= 31, done       # waiting, neither refused nor closed
            assert not k.eof


def test_D10_gate_looks_at_the_authcid(site, how, alice):
    with site.session(alice, how) as k:          # root acting for alice
        assert "UNAUTHENTICATE" in k.capability()
        k.unauthenticate()
    with site.session("alice", how, USER_PW) as k:   # alice herself
        assert "UNAUTHENTICATE" not in k.capability()
        k.bad("UNAUTHENTICATE")


def test_D10_administrator_withdrawn_meanwhile_gets_bye_never_bad():
    with Site(pool=4) as site:
        run("user", "add", site.dir, "second", "--admin", "--password-file", site.pw_file)
        alice, bob = site.new_user(), site.new_user()
        with site.connect() as k:
            k.authenticate(alice, "second", USER_PW).ok()
            run("user", "del", site.dir, "second")
            try:
                k.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN "
                       f"{plain(bob, ADMIN, ADMIN_PW)}\r\nc CREATE evil\r\n")
            except OSError:
                pass
            rest = k.expect_eof()
            assert b"* BYE" in rest, rest
            assert b"a BAD" not in rest and b"b " not in rest and b"c OK" not in rest
        with site.session(alice) as w:
            assert b"evil" not in repr(w.ok('LIST "" *')).encode()


def test_D10_role_withdrawn_meanwhile_gets_bye_never_bad():
    """She may go on as herself, so no reload ends her session: UNAUTHENTICATE does."""
    with Site(pool=4) as site:
        run("user", "add", site.dir, "second", "--admin", "--password-file", site.pw_file)
        bob = site.new_user()
        with site.session("second", password=USER_PW) as k:
            table = site.dir / "users"
            table.write_text(re.sub(r"(?m)^(second:.*)\badmin\b", r"\1-", table.read_text()))
            site.hangup()
            k.ok("NOOP")
            k.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN "
                   f"{plain(bob, ADMIN, ADMIN_PW)}\r\nc CREATE evil\r\n")
            rest = k.expect_bye()
            assert not re.search(rb"(?m)^[abc] ", rest), rest
        with site.session("second", password=USER_PW) as w:
            assert not w.ok('LIST "" evil').untagged
            w.bad("UNAUTHENTICATE")


def test_D11_timers_before_login_and_after_unauthenticate_differ():
    with Site(pool=4, configure=both(limit("before-login-seconds", 1),
                                     limit("after-unauthenticate-seconds", 4))) as site:
        alice = site.new_user()
        with site.connect("plain") as fresh, site.session(alice) as k:
            k.unauthenticate()
            start = time.monotonic()
            fresh.expect_bye()
            assert 0.5 < time.monotonic() - start < 3.5
            k.ok("NOOP")
            k.expect_bye()
            assert time.monotonic() - start > 3


def test_D12_capabilities_after_unauthenticate_on_a_listener_without_plaintext_login():
    with Site(pool=4, plaintext=False) as site:
        alice = site.new_user()
        with site.connect("plain") as k:
            caps = k.capability()
            assert "LOGINDISABLED" in caps and "STARTTLS" in caps
            assert not [c for c in caps if c.startswith("AUTH=PLAIN")]
            k.no(f'LOGIN alice "{USER_PW}"', code="PRIVACYREQUIRED")
            k.authenticate(alice).no("PRIVACYREQUIRED")
            k.starttls()
            caps = set(k.capability())
            assert "LOGINDISABLED" not in caps and "STARTTLS" not in caps
            assert "AUTH=PLAIN" in caps
            k.login(alice)
            k.unauthenticate()
            assert set(k.capability()) == caps
            k.login(alice)


def test_D14_id_does_not_change_behaviour(site, how, alice, bob):
    with site.session(alice, how) as k, site.session(alice, how) as fresh:
        k.ok('ID ("name" "x" "user" "bob" "authid" "root")')
        for c in (k, fresh):
            c.unauthenticate()
        a, c = k.login(bob), fresh.login(bob)
        assert a.code == c.code
        assert repr(k.ok("NAMESPACE", tag="n")) == repr(fresh.ok("NAMESPACE", tag="n"))


def test_D16_second_one_is_bad(site, how, alice):
    with site.session(alice, how) as k:
        k.send("a UNAUTHENTICATE\r\nb UNAUTHENTICATE\r\nc NOOP\r\n")
        k.finish("a").ok()
        k.finish("b").bad()
        k.finish("c").ok()


def test_D17_audit_lines_number_the_epochs_of_a_connection():
    with Site(pool=6) as site:
        users = [site.new_user() for _ in range(3)]
        with site.session(users[0], "tls") as k:
            for u in users[1:]:
                k.unauthenticate()
                k.login(u)
            k.logout()

        def lines():
            got = [e for e in site.log() if "authzid" in e and "commands" in e]
            return got if len(got) == 3 else None
        got = wait_until(lines, what="three audit lines")
        assert [e["authzid"] for e in got] == users
        assert {e["authcid"] for e in got} == {ADMIN}
        assert [e["epoch"] for e in got] == [1, 2, 3]
        assert len({e["connection"] for e in got}) == 1
        for e in got:
            assert e["mechanism"] == "PLAIN"
        text = site.stderr()
        assert ADMIN_PW not in text
        assert plain(users[0], ADMIN, ADMIN_PW) not in text
        for line in text.split("\n"):
            assert not line or re.fullmatch(r"\{.*\}", line), line


def test_D18_ceiling_of_epochs_is_bye_at_the_next_unauthenticate():
    with Site(pool=6, configure=limit("logins-per-connection", 3)) as site:
        alice, bob = site.new_user(), site.new_user()
        with site.session(alice) as k:
            for user in (bob, alice):
                k.unauthenticate()
                k.login(user)
            k.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN "
                   f"{plain(bob, ADMIN, ADMIN_PW)}\r\nc CREATE evil\r\n")
            rest = k.expect_bye()
            assert b"a OK" not in rest and b"a NO" not in rest and b"b " not in rest
        for u in (alice, bob):
            with site.session(u) as w:
                assert b"evil" not in repr(w.ok('LIST "" *')).encode()


# ---- limits of the first day (issue "a session": The server) -------------------------

def test_long_line_is_bad_or_bye_and_not_buffered():
    with Site(pool=4, configure=limit("line-bytes", 2000)) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            k.send("a SELECT " + "x" * 1900 + "\r\n")
            assert k.finish("a").status in ("NO", "BAD")
            try:
                k.send("b SELECT " + "x" * 5000 + "\r\nc NOOP\r\n")
            except OSError:
                pass
            r = k.response()
            assert r.startswith((b"b BAD", b"* BAD", b"* BYE")), r
            if not r.startswith(b"* BYE"):
                k.finish("c").ok()


def test_message_larger_than_the_limit_is_toobig():
    with Site(pool=4, configure=limit("message-bytes", 10000)) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            k.append("INBOX", b"x" * 10000)
            # synchronizing: refused instead of the continuation
            k.send("a APPEND INBOX {10001}\r\n")
            k.finish("a").no("TOOBIG")
            # non-synchronizing: read over, refused
            k.no("APPEND INBOX {}", b"x" * 10001, code="TOOBIG")
            k.ok("STATUS INBOX (MESSAGES)").one(rb".*\(MESSAGES 1\)")


def test_too_many_connections_of_an_address_get_bye():
    with Site(pool=4, configure=limit("connections-per-address", 3)) as site:
        got = [site.connect() for _ in range(3)]
        with site.connect() as more:
            assert more.greeting.startswith(b"* BYE"), more.greeting
            more.expect_eof()
        got[0].logout()
        wait_until(lambda: site.connect().greeting.startswith(b"* OK"),
                   what="a free slot")
        for c in got:
            c.close()


def test_slow_reader_does_not_make_the_server_grow(monkeypatch):
    # what is freed shall be free: AddressSanitizer would keep up to 256 MB of it
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=1")
    with Site(pool=4) as site:
        alice = site.new_user()
        body = b"Subject: big\r\n\r\n" + b"x" * 2_000_000
        with site.session(alice) as k:
            for _ in range(10):
                k.append("INBOX", body)
            k.select()

            def rss():
                with open(f"/proc/{site.proc.pid}/statm") as f:
                    return int(f.read().split()[1]) * 4096
            before = rss()
            k.send("a FETCH 1:10 BODY.PEEK[]\r\n" * 4)
            time.sleep(2)
            grown = rss() - before
            assert grown < 10_000_000
            with site.session(site.new_user()) as w:      # others are served meanwhile
                w.ok("NOOP")
            for _ in range(4):
                assert len(k.finish("a").ok().untagged) == 10


def test_greeting_and_reply_leave_in_one_write(site, how, alice):
    """A reply in two small writes would cost the peer a delayed ACK (40 ms)."""
    with site.session(alice, how) as k:
        k.append("INBOX", eml("plain"))
        k.select()
        start = time.monotonic()
        for _ in range(50):
            k.ok("FETCH 1 (FLAGS UID ENVELOPE)")
            k.ok("NOOP")
        assert time.monotonic() - start < 2
        assert not readable(k, 0)


@pytest.mark.parametrize("how", ["plain", "tls", "starttls"])
def test_logout_says_bye_and_closes(site, how, alice):
    with site.session(alice, how) as k:
        k.logout()
    with site.connect(how) as k:
        k.logout()


def test_no_nul_leaves_outside_literal8(site, how, alice):
    """RFC 9051 section 9 note 3, RFC 3516 section 6: a message that was appended as
    literal8 is shown by BODY in an encoding that a literal can carry."""
    message = (b"Subject: nul\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n\x00\xff\x00")
    with site.session(alice, how) as k:
        r = k.cmd("APPEND INBOX ~{}", message)
        if r.status == "NO":                    # the other thing that RFC 3516 allows
            assert r.code == "UNKNOWN-CTE"
            return
        r.ok()
        k.select()
        r = k.ok("FETCH 1 (RFC822.SIZE BODYSTRUCTURE)")
        assert b'"BINARY"' not in r.untagged[0].upper()
        size = int(r.one(rb".*RFC822.SIZE (\d+)")[1])
        for item in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "RFC822", "RFC822.TEXT",
                     "BODY.PEEK[]<0.1000>"):
            r = k.ok(f"FETCH 1 {item}")
            assert b"\0" not in r.untagged[0], item
        whole = k.ok("FETCH 1 BODY.PEEK[]").one(rb".*\{(\d+)\}\r\n")
        assert int(whole[1]) == size
        k.ok("FETCH 1 BINARY.PEEK[1]").one(rb".* ~\{3\}\r\n\x00\xff\x00\)$")
