"""The state table of UNAUTHENTICATE (RFC 8437; doc/unauthenticate.md): a test a row.

`L(u)`: the administrator logs in for u. `UN`: UNAUTHENTICATE, tagged OK and nothing
untagged. Every test runs over plain TCP and over TLS where that can matter.
"""

import os
import pathlib
import time

import pytest

from harness import ADMIN, ADMIN_PW, USER_PW, Site, eml, plain, readable, wait_until
from settings import gate, limit

DATE = "17-Jul-1996 02:44:25 -0700"


def deliver(site, user, count=1, flags="", mailbox="INBOX", sample="plain"):
    with site.session(user) as c:
        tags = [c.start(f'APPEND {mailbox} {flags} "{DATE}" {{}}'.replace("  ", " "),
                        eml(sample)) for _ in range(count)]
        for t in tags:
            c.finish(t).ok()


def flags_of(c, number):
    m = c.ok(f"FETCH {number} FLAGS").one(rb"\* %d FETCH \(FLAGS \(([^)]*)\)\)" % number)
    return set(m[1].decode().split())


def names(c, pattern="*"):
    return {m[1].decode().strip('"') for m in
            c.ok(f'LIST "" {pattern}').find(rb'\* LIST \([^)]*\) "/" (.*)')}


# ---- 3.1 identity and mailbox -------------------------------------------------

def test_S1_authcid_authzid_and_admin_bit_are_forgotten(site, how, alice, bob):
    with site.session(alice) as w:
        w.ok("CREATE alices")
    with site.session(bob) as w:
        w.ok("CREATE bobs")
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.bad('LIST "" *')
        k.bad("SELECT INBOX")
        k.login(bob)
        assert names(k) == {"INBOX", "bobs"}
        k.unauthenticate()
        # an ordinary user after the administrator has none of his powers
        k.login("alice", USER_PW)
        assert "UNAUTHENTICATE" not in k.capability()
        k.bad("UNAUTHENTICATE")
        assert "bobs" not in names(k)


def test_S2_selected_mailbox_is_deselected_without_expunge(site, how, alice, bob):
    deliver(site, alice, 2)
    deliver(site, bob, 1)
    with site.session(alice, how) as k:
        assert k.select().exists == 2
        k.unauthenticate()
        k.bad("FETCH 1 (FLAGS)")
        k.login(bob)
        k.bad("FETCH 1 (FLAGS)")
        k.bad("CLOSE")
        k.bad("EXPUNGE")
        assert k.select().exists == 1


def test_S3_read_only_selection_leaves_no_read_only_bit(site, how, alice):
    deliver(site, alice)
    with site.session(alice, how) as k:
        assert k.select(examine=True).code == "READ-ONLY"
        k.unauthenticate()
        k.login(alice)
        assert k.select().code == "READ-WRITE"
        k.ok("STORE 1 +FLAGS (\\Flagged)").one(rb"\* 1 FETCH \(FLAGS \(.*\\Flagged")


def test_S4_pending_deleted_is_neither_removed_nor_announced(site, how, alice):
    deliver(site, alice, 3)
    with site.session(alice, how) as k, site.session(alice) as w:
        k.select()
        w.select()
        k.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        w.ok("NOOP")
        idle = w.start("IDLE")
        assert w.response().startswith(b"+")
        k.unauthenticate()
        w.quiet(0.5)
        w.send("DONE\r\n")
        assert not w.finish(idle).ok().untagged
        assert "\\Deleted" in flags_of(w, 1) & flags_of(w, 2)
        k.login(alice)
        assert k.select().exists == 3


def test_S5_queued_updates_are_discarded(site, how, alice, bob):
    deliver(site, alice, 3)
    deliver(site, bob, 1)
    with site.session(alice, how) as k, site.session(alice) as w:
        k.select()
        w.select()
        for _ in range(3):
            w.append("INBOX", eml("plain"))
        w.ok("STORE 1 +FLAGS (\\Deleted)")
        w.ok("EXPUNGE")
        w.ok("STORE 1 +FLAGS (\\Flagged)")
        k.unauthenticate()
        k.quiet(0.2)
        r = k.login(bob)
        assert not r.untagged, r
        r = k.select()
        assert r.exists == 1 and len(r.find(rb"\* \d+ EXISTS")) == 1
        assert not r.find(rb"\* \d+ (EXPUNGE|FETCH)"), r


def test_S6_recent_is_released_as_close_would(site, how, alice, bob):
    deliver(site, alice, 1)
    deliver(site, bob, 2)
    with site.session(alice, how) as k:
        k.select().one(rb"\* 1 RECENT$")
        k.unauthenticate()
        k.login(alice)
        k.select().one(rb"\* 0 RECENT$")
        k.unauthenticate()
        k.login(bob)
        k.select().one(rb"\* 2 RECENT$")
        k.unauthenticate()
        # EXAMINE takes nothing, so there is nothing to lose
        deliver(site, alice, 1)
        k.login(alice)
        k.select(examine=True).one(rb"\* 1 RECENT$")
        k.unauthenticate()
        with site.session(alice) as w:
            w.select().one(rb"\* 1 RECENT$")


def test_S7_saved_search_result_is_empty(site, how, alice):
    deliver(site, alice, 5)
    with site.session(alice, how) as k:
        k.select()
        k.ok("SEARCH RETURN (SAVE) ALL")
        assert len(k.ok("UID FETCH $ (UID)").untagged) == 5
        k.unauthenticate()
        k.login(alice)
        k.select()
        assert not k.ok("UID FETCH $ (UID)").untagged
        # the search and the switch in one write
        burst = (f"a SEARCH RETURN (SAVE) ALL\r\nb UNAUTHENTICATE\r\n"
                 f"c AUTHENTICATE PLAIN {plain(alice, ADMIN, ADMIN_PW)}\r\n"
                 f"d SELECT INBOX\r\ne UID FETCH $ (UID)\r\nf SEARCH $\r\n")
        k.send(burst)
        for t in "abcd":
            k.finish(t).ok()
        assert not k.finish("e").ok().untagged
        k.finish("f").ok().one(rb"\* SEARCH$")


def test_S8_sequence_map_and_snapshot_are_dropped(site, how, alice, bob):
    deliver(site, alice, 100)
    deliver(site, bob, 3)
    with site.session(alice, how) as k:
        assert k.select().exists == 100
        k.ok("FETCH 50 UID").one(rb"\* 50 FETCH")
        k.unauthenticate()
        k.login(bob)
        assert k.select().exists == 3
        k.bad("FETCH 50 UID")
        assert not k.ok("UID FETCH 50 UID").untagged
        k.ok("FETCH 3 UID").one(rb"\* 3 FETCH \(UID 3\)")


def test_S9_keyword_table_of_the_old_user_is_dropped(site, how, alice, bob):
    deliver(site, alice, 1, "($AliceSecret)")
    deliver(site, bob, 1, "($Bobs)")
    with site.session(alice, how) as k:
        r = k.select()
        assert b"$AliceSecret" in r.one(rb"\* FLAGS \((.*)\)")[1]
        k.unauthenticate()
        k.login(bob)
        r = k.select()
        for line in r.untagged:
            assert b"AliceSecret" not in line
        assert flags_of(k, 1) - {"\\Recent"} == {"$Bobs"}


# ---- 3.2 enabled extensions -----------------------------------------------------

def test_S15_imap4rev2_is_off_again(site, how, alice, bob):
    deliver(site, bob, 1)
    with site.session(bob) as w:
        w.ok('CREATE "Entw&APw-rfe"')
    with site.session(alice, how) as k:
        k.ok("ENABLE IMAP4rev2").one(rb"\* ENABLED IMAP4rev2$")
        k.ok("SELECT INBOX")
        k.unauthenticate()
        k.login(bob)
        assert "Entw&APw-rfe" in names(k)
        r = k.select()
        r.one(rb"\* 1 RECENT$")
        assert not r.find(rb"\* LIST")
        k.ok("SEARCH ALL").one(rb"\* SEARCH 1$")


def test_S18_everything_enabled_can_be_enabled_afresh(site, how, alice, bob):
    with site.session(alice, how) as k:
        words = " ".join(k.capability())
        first = k.ok(f"ENABLE {words}").one(rb"\* ENABLED(.*)")[1]
        assert first
        k.unauthenticate()
        k.login(bob)
        assert k.ok(f"ENABLE {words}").one(rb"\* ENABLED(.*)")[1] == first


def test_S19_literal_limit_of_before_login_is_back(site, how, alice):
    def refused(c):
        """LOGIN with a literal of 70,000 octets: BAD, or BYE and the end."""
        c.send(b"x LOGIN {70000+}\r\n")
        sent = 0
        try:
            while sent < 70000 and not readable(c, 0):
                c.send(b"a" * 5000)
                sent += 5000
            c.send(b" y\r\n")
        except OSError:
            pass
        r = c.response()
        return r[:5]

    with site.connect(how) as fresh:
        want = refused(fresh)
        assert want in (b"x BAD", b"* BYE")
    with site.session(alice, how) as k:
        big = eml("plain") + b"x" * 65536
        k.append("INBOX", big)
        k.unauthenticate()
        assert refused(k) == want


def test_S19_synchronizing_literal_before_login_is_refused_without_continuation(site, how):
    with site.connect(how) as c:
        c.send(b"x LOGIN {70000}\r\n")
        assert c.response().startswith(b"x BAD")
        c.ok("NOOP")


# ---- 3.3 layers ------------------------------------------------------------------

def test_S24_verdict_cache_outlives_the_session_but_lets_nobody_else_in(site, how, alice, bob):
    """The server-wide verdict cache stays; the secrets of the session do not."""
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.authenticate(bob).ok()
        k.unauthenticate()
        # a remembered right password makes no wrong one right
        for wrong in (ADMIN_PW + "x", ADMIN_PW[:-1], ADMIN_PW.upper(), ""):
            k.authenticate(alice, ADMIN, wrong).no("AUTHENTICATIONFAILED")
            k.bad("SELECT INBOX")
        k.authenticate(alice).ok()


def test_S25_tls_session_is_kept(site, alice, bob):
    for how in ("tls", "starttls"):
        with site.session(alice, how) as k:
            before = (k.sock.cipher(), k.sock.version(), k.sock.getpeercert(True))
            for user in (bob, alice, bob):
                k.unauthenticate()
                assert (k.sock.cipher(), k.sock.version(),
                        k.sock.getpeercert(True)) == before
                assert "STARTTLS" not in k.capability()
                k.bad("STARTTLS")
                k.login(user)


def test_S26_without_tls_starttls_is_possible_again(site, alice, bob):
    with site.session(alice) as k:
        assert "STARTTLS" not in k.capability()
        k.bad("STARTTLS")
        k.unauthenticate()
        assert "STARTTLS" in k.capability()
        k.starttls()
        assert "STARTTLS" not in k.capability()
        k.login(bob)
        k.select()
        k.unauthenticate()
        k.bad("STARTTLS")


def test_S26_starttls_with_bytes_behind_it_never_runs_them(site, alice):
    """No plaintext command is carried over into TLS (RFC 9051 section 6.2.1)."""
    with site.session(alice) as k:
        k.unauthenticate()
        k.send("a STARTTLS\r\nb NOOP\r\n")
        r = k.response()
        if r.startswith(b"a OK"):
            try:
                k.wrap()
                k.quiet(0.3)
            except OSError:
                pass
        else:
            assert r.startswith(b"* BYE"), r
            k.expect_eof()
        assert b"b OK" not in bytes(k.rx)


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S30_output_of_the_old_user_is_flushed_and_nothing_follows(site, how, alice, bob):
    body = b"Subject: alice\r\n\r\n" + (b"alice's own text " * 4 + b"\r\n") * 75000  # 5 MB
    with site.session(alice) as w:
        for _ in range(4):
            w.append("INBOX", body)
    deliver(site, bob, 1, "(\\Flagged)")
    with site.session(alice, how) as k:
        k.select()
        k.send(f"a FETCH 1:4 BODY.PEEK[]\r\nb UNAUTHENTICATE\r\n"
               f"c AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW)}\r\n"
               "d SELECT INBOX\r\ne FETCH 1 FLAGS\r\n")
        time.sleep(1)                       # a slow reader
        for n in range(1, 5):
            r = k.response()
            assert r.startswith(b"* %d FETCH (BODY[] {%d}" % (n, len(body)))
            assert r.endswith(body + b")")
        assert k.response().startswith(b"a OK")
        assert k.response().startswith(b"b OK")
        mark = k.pos
        k.finish("c").ok()
        assert not k.finish("d").ok().find(rb"\* 4 EXISTS")
        k.finish("e").ok().one(rb"\* 1 FETCH \(FLAGS \(.*\\Flagged")
        k.quiet(0.3)
        assert b"alice" not in bytes(k.rx[mark:])


# ---- 3.4 notifications -------------------------------------------------------------

def test_S39_idle_and_unauthenticate_cannot_coexist(site, how, alice, bob):
    deliver(site, alice)
    with site.session(alice, how) as k:
        k.select()
        tag = k.start("IDLE")
        assert k.response().startswith(b"+")
        k.send("x UNAUTHENTICATE\r\n")
        r = k.finish(tag)
        r.bad()
        assert b"x OK" not in bytes(k.rx)
        k.ok("FETCH 1 UID")                        # still alice, still selected
        tag = k.start("IDLE")
        assert k.response().startswith(b"+")
        k.send("DONE\r\n")
        k.finish(tag).ok()
        k.unauthenticate()
        k.login(bob)
        k.select()
        deliver(site, alice)
        k.quiet(0.5)


# ---- 3.5 access, names ---------------------------------------------------------------

def test_S45_namespace_and_inbox_are_those_of_the_new_user(site, how, alice, bob):
    asked = ('NAMESPACE', 'LIST "" INBOX*', 'LIST "" %', "LIST \"\" \"\"",
             'STATUS INBOX (MESSAGES UIDNEXT)')
    deliver(site, alice, 4)
    with site.session(alice) as w:
        w.ok("CREATE INBOX/sub")
    deliver(site, bob, 1)
    with site.session(bob, how) as fresh, site.session(alice, how) as k:
        for c in asked:
            k.ok(c)
        k.unauthenticate()
        k.login(bob)
        for i, c in enumerate(asked):
            assert repr(k.ok(c, tag=f"z{i}")) == repr(fresh.ok(c, tag=f"z{i}"))


def test_S46_subscriptions_and_special_use_are_those_of_the_new_user(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok("CREATE X (USE (\\Sent))")
        k.ok("SUBSCRIBE X")
        assert k.ok('LIST (SUBSCRIBED) "" *').untagged
        assert k.ok('LIST (SPECIAL-USE) "" *').untagged
        k.unauthenticate()
        k.login(bob)
        k.ok("CREATE X")
        assert not k.ok('LIST (SUBSCRIBED) "" *').untagged
        assert not k.ok('LSUB "" *').untagged
        assert not k.ok('LIST (SPECIAL-USE) "" *').untagged
        assert len(k.ok('LIST "" X RETURN (SUBSCRIBED SPECIAL-USE)').untagged) == 1


def test_S53_capability_list_is_that_of_a_fresh_connection(site, how, alice, bob):
    with site.connect(how) as fresh, site.session(alice, how) as k:
        r = k.unauthenticate()
        before = set(fresh.capability())
        assert set(k.capability()) == before
        # D1: the code in the OK is the list of the new state
        assert set((r.code or "").split()[1:]) == before
        a, c = fresh.login(bob), k.login(bob)
        assert set(a.code.split()) == set(c.code.split())
        assert set(k.capability()) == set(fresh.capability()) == set(a.code.split()[1:])


# ---- 3.6 commands in flight and parser -------------------------------------------------

def test_S55_unauthenticate_inside_a_literal_is_text(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.send("a APPEND INBOX {29}\r\n")
        assert k.response().startswith(b"+")
        k.send("Subject: x\r\n\r\n")
        k.send("x UNAUTHENTICATE\r\n"[:15])
        k.send("\r\n")
        k.finish("a").ok()
        k.select()
        k.ok("FETCH 1 BODY.PEEK[TEXT]").one(rb".*x UNAUTHENTICAT")
        # a MULTIAPPEND that is broken off
        k.no("APPEND INBOX {} {}", eml("plain"), b"")
        k.unauthenticate()
        k.login(bob)
        k.append("INBOX", eml("plain"))
        assert k.select().exists == 1
    with site.session(alice) as w:
        assert w.select().exists == 1


def test_S55_connection_lost_within_an_append_leaves_nothing(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.login(bob)
        k.send("a APPEND INBOX {+}\r\n".replace("{+}", "{500000+}"))
        k.send(b"x" * 300000)
    with site.session(bob) as w:
        assert w.select().exists == 0
        w.append("INBOX", eml("plain"))


def test_S56_unauthenticate_inside_an_authenticate_exchange(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.unauthenticate()
        k.send("a AUTHENTICATE PLAIN\r\n")
        assert k.response().startswith(b"+ ")
        k.send("UNAUTHENTICATE\r\n")
        assert k.finish("a").status in ("BAD", "NO")
        k.bad("SELECT INBOX")
        k.send("b AUTHENTICATE PLAIN\r\n")
        assert k.response().startswith(b"+ ")
        k.send("x UNAUTHENTICATE\r\n")
        assert k.finish("b").status in ("BAD", "NO")
        k.bad("SELECT INBOX")
        k.login(bob)


@pytest.mark.parametrize("right", [True, False], ids=["right password", "wrong password"])
def test_S57_pipelined_burst_runs_in_order_for_the_right_user(site, how, alice, bob, right):
    deliver(site, alice)
    deliver(site, bob)
    with site.session(alice, how) as k:
        k.send("a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Seen)\r\nc UNAUTHENTICATE\r\n"
               f"d AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW if right else 'no')}\r\n"
               "e SELECT INBOX\r\nf STORE 1 +FLAGS (\\Flagged)\r\n")
        got = {t: k.finish(t) for t in "abcdef"}
        assert [got[t].status for t in "abc"] == ["OK"] * 3
        if right:
            assert [got[t].status for t in "def"] == ["OK"] * 3
        else:
            assert [got[t].status for t in "def"] == ["NO", "BAD", "BAD"]
            assert not got["e"].untagged and not got["f"].untagged
    with site.session(alice) as w:
        w.select(examine=True)
        assert flags_of(w, 1) - {"\\Recent"} == {"\\Seen"}
    with site.session(bob) as w:
        w.select(examine=True)
        assert flags_of(w, 1) - {"\\Recent"} == ({"\\Flagged"} if right else set())


def test_S58_switch_is_one_round_trip(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN {plain(bob, ADMIN, ADMIN_PW)}\r\n")
        assert k.response().startswith(b"a OK")
        assert k.response().startswith(b"b OK")
        k.quiet(0.1)
        k.ok("SELECT INBOX")


def test_S59_tags_are_free_again(site, how, alice, bob):
    with site.session(alice, how) as k:
        for user in (bob, alice, bob):
            k.ok("UNAUTHENTICATE", tag="same")
            k.ok(f"AUTHENTICATE PLAIN {plain(user, ADMIN, ADMIN_PW)}", tag="same")
            k.ok("SELECT INBOX", tag="same")


def test_S59_bad_commands_count_on_over_unauthenticate():
    with Site(pool=4, configure=limit("bad-commands", 10)) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            for _ in range(5):
                k.bad("PONIES")
            k.unauthenticate()
            bad = 0
            with pytest.raises((EOFError, AssertionError, OSError)):
                while bad < 50:
                    k.bad("PONIES")
                    bad += 1
            assert bad <= 5
            assert b"* BYE" in bytes(k.rx)


def test_S60_syntax_and_states_of_unauthenticate(site, how, alice, bob):
    with site.connect(how) as k:
        k.bad("UNAUTHENTICATE")
        k.login(alice)
        k.ok("CREATE mine")
        for wrong in ("UNAUTHENTICATE ", "UNAUTHENTICATE foo", "UNAUTHENTICATE ()",
                      "UNAUTHENTICATE \"\"", "UNAUTHENTICATED", "UID UNAUTHENTICATE"):
            k.bad(wrong)
            assert "mine" in names(k)
        k.bad("UNAUTHENTICATE {}", b"foo")
        assert "mine" in names(k)
        k.ok("uNaUtHeNtIcAtE")
        k.bad("UNAUTHENTICATE")
        k.login(bob)
        assert "mine" not in names(k)
        k.select()
        k.ok("unauthenticate")


# ---- 3.7 what is kept, and server bookkeeping --------------------------------------------

def test_S61_id_fields_are_kept_for_the_log(how):
    with Site(pool=4) as site:
        alice, bob = site.new_user(), site.new_user()
        with site.connect(how) as k:
            k.ok('ID ("name" "gateway" "version" "7.1")')
            k.login(alice)
            k.unauthenticate()
            k.login(bob)
            k.logout()
        lines = epochs(site, 2)
        assert "gateway" in str(lines[0]) and "gateway" in str(lines[1]), lines
        # marked as given before the switch
        assert str(lines[1]).count("gateway") == 1
        assert {k: v for k, v in lines[0].items() if "id" in k} != \
            {k: v for k, v in lines[1].items() if "id" in k}


def epochs(site, count):
    """The audit lines of the logins of the (only) connection, in order."""
    def got():
        out = [e for e in site.log() if "authcid" in e and "authzid" in e
               and "commands" in e]
        return out if len(out) >= count else None
    return wait_until(got, what="audit lines")


def test_S62_the_peers_address_is_kept(site, how, alice, bob):
    with site.session(alice, how) as k:
        address = k.sock.getsockname()[0]
        k.unauthenticate()
        k.login(bob)
        k.logout()
    for user in (alice, bob):
        entry = site.wait_log(lambda e: e.get("event") == "epoch" and e.get("authzid") == user)
        assert entry["peer"] == address, entry


def test_S65_inactivity_timer_is_that_of_before_login():
    with Site(pool=4, configure=limit("after-unauthenticate-seconds", 2)) as site:
        alice = site.new_user()
        with site.session(alice) as k:
            time.sleep(3)
            k.ok("NOOP")                         # logged in: no such timer
            k.unauthenticate()
            start = time.monotonic()
            assert k.expect_bye()
            assert 1 < time.monotonic() - start < 10


def test_S66_log_has_one_line_for_each_epoch():
    with Site(pool=4) as site:
        alice, bob = site.new_user(), site.new_user()
        with site.session(alice, "tls") as k:
            k.ok("NOOP")
            k.unauthenticate()
            k.login(bob)
            k.ok("NOOP")
            k.ok("NOOP")
            k.logout()
        one, two = epochs(site, 2)
        assert (one["authcid"], one["authzid"]) == (ADMIN, alice)
        assert (two["authcid"], two["authzid"]) == (ADMIN, bob)
        assert bob not in str(one) and alice not in str(two)
        assert two["commands"] > one["commands"]
        assert ADMIN_PW not in site.stderr()


def test_S67_descriptors_are_constant_and_mailboxes_are_let_go(site, alice, bob):
    deliver(site, alice, 2)
    deliver(site, bob, 2)
    pid = site.proc.pid

    def cycles(k, n):
        for _ in range(n):
            k.send("".join(
                f"s{u} SELECT INBOX\r\nf{u} FETCH 1 BODY.PEEK[]\r\nu{u} UNAUTHENTICATE\r\n"
                f"a{u} AUTHENTICATE PLAIN {plain(u, ADMIN, ADMIN_PW)}\r\n"
                for u in (bob, alice)))
            for u in (bob, alice):
                for t in "sfua":
                    k.finish(f"{t}{u}").ok()

    with site.session(alice, "tls") as k:
        cycles(k, 20)
        before = len(os.listdir(f"/proc/{pid}/fd"))
        cycles(k, 480)
        assert len(os.listdir(f"/proc/{pid}/fd")) <= before + 2
        k.ok("CREATE box")
        k.select("box")
        k.unauthenticate()
        with site.session(alice) as w:
            w.ok("DELETE box")


def test_S68_process_identity_does_not_change(site, alice, bob):
    def identity():
        text = pathlib.Path(f"/proc/{site.proc.pid}/status").read_text()
        return [line for line in text.split("\n")
                if line.startswith(("Uid", "Gid", "Groups", "Umask"))]
    before = identity(), os.readlink(f"/proc/{site.proc.pid}/cwd")
    with site.session(alice) as k:
        k.append("INBOX", eml("plain"))
        k.unauthenticate()
        k.login(bob)
        k.append("INBOX", eml("plain"))
        assert (identity(), os.readlink(f"/proc/{site.proc.pid}/cwd")) == before
    owners = {(p.stat().st_uid, p.stat().st_gid) for p in site.dir.rglob("*")}
    assert owners == {(os.getuid(), os.getgid())}
    for p in site.dir.rglob("*"):
        assert p.stat().st_mode & 0o007 == 0 or p.is_dir() or "cert" in p.name \
            or p.suffix in (".yaml", ".pem", ".crt"), p


@pytest.mark.parametrize("value", ["off", "admin-only", "on"])
@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S70_switch_and_gate(value, how):
    with Site(pool=4, configure=gate(value)) as site:
        alice, bob = site.new_user(), site.new_user()
        for user, password, admin in (("alice", USER_PW, False), (alice, None, True),
                                      (ADMIN, ADMIN_PW, True)):
            may = value == "on" or value == "admin-only" and admin
            with site.connect(how) as k:
                assert "UNAUTHENTICATE" not in k.capability()    # U16: after login only
                r = k.login(user, password)
                assert ("UNAUTHENTICATE" in r.code.split()) == may, (user, r)
                assert ("UNAUTHENTICATE" in k.capability()) == may
                if may:
                    k.unauthenticate()
                    k.login(bob)
                    assert ("UNAUTHENTICATE" in k.capability()) == (value != "off")
                else:
                    k.bad("UNAUTHENTICATE")
                    k.ok("SELECT INBOX")                # the session goes on
                    k.bad("UNAUTHENTICATE")
                    k.ok("NOOP")


def test_S70_gate_is_of_each_listener():
    with Site(pool=4, configure=gate("off", listener="imap")) as site:
        alice = site.new_user()
        with site.session(alice, "plain") as k:
            k.bad("UNAUTHENTICATE")
        with site.session(alice, "tls") as k:
            k.unauthenticate()
