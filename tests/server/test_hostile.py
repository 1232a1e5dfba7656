"""Peers that send too much, too slowly, or do not read, and a server that stays well."""

import re
import time

from harness import ADMIN, ADMIN_PW, Site, eml, plain, wait_until
from settings import both, limit

UNKNOWN_CTE = (b"Subject: big\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
               b"Content-Transfer-Encoding: x-unheard-of\r\n\r\n" + b"0123456789abcde\r\n" * 20000)


def rss(site):
    """Resident memory of the server, bytes."""
    text = open(f"/proc/{site.proc.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def test_the_time_to_log_in_runs_on_though_something_is_sent():
    with Site(users=(), pool=2, configure=both(
            limit("before-login-seconds", 1), limit("after-unauthenticate-seconds", 1))) as site:
        def ends_in_time(k):
            start = time.monotonic()
            while time.monotonic() < start + 10:
                k.send("x NOOP\r\n")
                if k.response().startswith(b"* BYE"):
                    break
                time.sleep(.2)
            return 0.5 < time.monotonic() - start < 5
        with site.connect() as k:
            assert ends_in_time(k)
        user = site.new_user()
        with site.session(user) as k:
            time.sleep(1.5)
            k.unauthenticate()
            assert ends_in_time(k)


def test_a_stranger_cannot_fill_a_command_with_small_literals(site):
    with site.connect() as k:
        k.send("a LOGIN " + "{4096+}\r\n" + "x" * 4096 + " ")
        for _ in range(60):
            k.send("{4000+}\r\n" + "x" * 4000 + " ")
        k.send("\r\nb NOOP\r\n")
        assert k.response().startswith(b"a BAD [TOOBIG]")
        assert k.response().startswith(b"b OK")


def test_a_part_that_cannot_be_decoded_is_no_reason_to_hang_up(site, alice):
    """RFC 9051 section 7.5.2: NO [UNKNOWN-CTE], though BODY[] would be on its way already."""
    with site.session(alice) as k:
        k.append("INBOX", UNKNOWN_CTE)
        k.append("INBOX", eml("plain"))
        k.select()
        r = k.no("FETCH 1:2 (UID BODY.PEEK[] BINARY.PEEK[1])", code="UNKNOWN-CTE")
        assert [u[:10] for u in r.untagged] == [b"* 2 FETCH "]
        r = k.no("FETCH 1 (UID BINARY.SIZE[1])", code="UNKNOWN-CTE")
        assert not r.untagged
        r = k.ok("FETCH 1 BINARY.PEEK[]")
        assert r.untagged[0].endswith(UNKNOWN_CTE + b")")


def test_a_nul_is_refused_in_either_literal(site, alice):
    small = eml("plain") + b"a\0b\r\n"
    large = UNKNOWN_CTE + b"a\0b\r\n"
    with site.session(alice) as k:
        for message in (small, large):
            text = message.decode("latin-1")
            k.no("APPEND INBOX ~{%d+}\r\n" % len(message) + text, code="UNKNOWN-CTE")
            assert k.cmd("APPEND INBOX {%d+}\r\n" % len(message) + text).status == "BAD"
        k.select()
        assert not k.ok("SEARCH ALL").one(rb"\* SEARCH(.*)")[1]


def test_many_headers_of_one_message_do_not_pile_up(site, alice):
    """200 times 2 MiB, and a client that does not read: what the socket's buffers do not
    take is not in memory (but in that of AddressSanitizer, for a while)."""
    header = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(2300))
    with site.session(alice) as k:
        k.append("INBOX", header + b"\r\nbody\r\n")
        k.select()
        k.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Z)]")
        before = rss(site)
        items = [f"BODY.PEEK[HEADER.FIELDS.NOT (Z{i})]" for i in range(200)]
        k.start(f"FETCH 1 ({' '.join(items)})")
        time.sleep(2)
        assert rss(site) - before < 200 << 20
    with site.session(alice) as k:
        k.select()
        assert k.ok(f"FETCH 1 ({' '.join(items[:5])})").untagged[0].count(header) == 5


def test_idle_tells_a_slow_client_all_at_once(site, alice):
    """300 changes of 1,500 messages: what is not read is not printed again and again."""
    with site.session(alice) as w:
        w.ok("CREATE many")
        message = b"Subject: x\r\n\r\nx\r\n"
        w.send(b"m APPEND many" + b" {%d+}\r\n%s" % (len(message), message) * 750 + b"\r\n"
               + b"n APPEND many" + b" {%d+}\r\n%s" % (len(message), message) * 750 + b"\r\n")
        w.finish("m").ok()
        w.finish("n").ok()
        w.select("many")
        with site.session(alice) as k:
            k.select("many")
            k.send("i IDLE\r\n")
            assert k.response().startswith(b"+")
            mark = len(k.rx)
            for i in range(300):
                w.ok(f"STORE 1:* {'+-'[i % 2]}FLAGS.SILENT (\\Answered \\Draft \\Flagged)")
            k.send("DONE\r\n")
            k.finish("i").ok()
            told = len(k.rx) - mark
            assert told < 300 * 1500 * 20, told
            k.ok("NOOP")


def test_id_before_a_login_is_that_logins():
    """D14: only what an earlier user's time brought is marked so."""
    with Site(users=(), pool=2) as site:
        with site.connect() as k:
            for name in ("one", "two"):
                k.ok(f'ID ("name" "{name}")')
                k.login(site.new_user())
                k.unauthenticate()
            k.logout()
        got = wait_until(lambda: len(e := [x for x in site.log() if x["event"] == "epoch"]) == 2
                         and e, what="epochs")
        assert [(e["client"], e["client_from_earlier_epoch"]) for e in got] == [
            ("name=one", False), ("name=two", False)]
        assert plain("", ADMIN, ADMIN_PW) not in site.stderr()


def test_a_search_has_a_bounded_number_of_texts(site, alice):
    with site.session(alice) as k:
        k.append("INBOX", eml("plain"))
        k.select()
        k.ok("SEARCH" + " TO mooch" * 100)
        k.no("SEARCH" + " TO mooch" * 200, code="LIMIT")
        k.ok("SEARCH RETURN (SAVE) ALL")
        k.no("SEARCH RETURN (SAVE)" + " NOT BODY x" * 200, code="LIMIT")
        assert k.ok("SEARCH $").untagged == [b"* SEARCH"]
        # sets are not: they cost nothing
        assert k.ok("SEARCH" + " 1:* UID 1:4294967295 $ *" * 900).untagged == [b"* SEARCH"]
        assert k.ok("SEARCH" + " 1:* UID 1:4294967295 NOT $ *" * 600).untagged == [b"* SEARCH 1"]
        k.bad("SEARCH 2")


def test_output_that_is_not_read_ends_a_connection_and_late_reading_does_not():
    big = b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 1000000
    with Site(users=(), pool=1, configure=both(
            limit("slow-reader-seconds", 10), limit("output-bytes", 67108864))) as site:
        user = site.new_user()
        with site.session(user) as late, site.session(user) as never:
            late.append("INBOX", big)
            start = time.monotonic()
            for k in (late, never):
                k.select()
                k.start("FETCH 1 BODY.PEEK[]", tag="f")
            time.sleep(1)
            late.finish("f").ok()
            ended = None
            while ended is None and time.monotonic() < start + 30:
                try:
                    never.send("x NOOP\r\n")    # puts nothing off
                    time.sleep(.5)
                except OSError:
                    ended = time.monotonic() - start
            assert ended and 9 < ended < 25
            late.quiet(max(0.1, start + 13 - time.monotonic()))
            late.ok("NOOP")
