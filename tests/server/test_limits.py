"""Each limit of doc/limits.md: what the client sees, and that the server stays well."""

import contextlib
import os
import re
import socket
import threading
import time

import pytest

from harness import ADMIN, Conn, Site, binary, plain, run, wait_until
from neighbour import Neighbour, is_sanitized, rss
from settings import PATIENT, both, limit

DOC = os.path.join(os.path.dirname(__file__), "..", "..", "doc", "limits.md")


@pytest.fixture(scope="module")
def site():
    """Small limits of what one command and one connection may hold."""
    with Site(pool=30, configure=both(
            PATIENT, limit("line-bytes", 4096), limit("command-bytes", 16384),
            limit("message-bytes", 100000), limit("literal-before-login-bytes", 256))) as s:
        yield s


def raw(port, address="127.0.0.1", source="127.0.0.1"):
    return socket.create_connection((address, port), 20, (source, 0))


def first_words(s):
    """All that comes until the end."""
    s.settimeout(20)
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while data := s.recv(4096):
            out += data
    return out


# ---- quota ----

def test_the_quota_of_the_file_is_everybodys():
    """storage-kibibytes, mailboxes, warning-percent; what makes nothing larger goes on."""
    with Site(pool=2, configure=both(
            limit("storage-kibibytes", 10), limit("mailboxes", 3),
            limit("warning-percent", 50))) as s:
        for user in (s.new_user(), s.new_user()):
            with s.session(user) as k:
                small = b"s: x\r\n\r\n" + b"y" * 4000
                assert not any(b"OVERQUOTA" in u
                               for u in k.ok("APPEND INBOX {}", small).untagged)
                assert any(b"NO [OVERQUOTA]" in u
                           for u in k.ok("APPEND INBOX {}", small).untagged)
                k.no("APPEND INBOX {}", small, code="OVERQUOTA")
                k.select()
                k.no("COPY 1 INBOX", code="OVERQUOTA")
                for name in ("a", "b"):
                    k.ok(f"CREATE {name}")
                k.no("CREATE c", code="OVERQUOTA")
                k.ok("MOVE 1 a")
                k.ok("STORE 1 +FLAGS (\\Deleted)")
                k.ok("EXPUNGE")
                k.ok("DELETE b")
                k.ok("APPEND INBOX {}", small)


# ---- what a command may hold ----

def test_every_limit_is_in_the_page_with_its_default(site):
    """doc/limits.md against the file that `init` writes."""
    page = open(DOC).read()
    with Site(users=(), start=False) as s:
        text = (s.dir / "mailstile.yaml").read_text()
    keys = dict(re.findall(r"(?m)^  ([a-z-]+): (\d+)\b", text))
    rows = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| ([\d,]+) ", page))
    of_limits = dict(re.findall(r"(?m)^  ([a-z-]+): (\d+)\b",
                                re.search(r"(?ms)^limits:$(.*?)(^\S|\Z)", text)[1]))
    assert set(of_limits) <= set(rows), set(of_limits) - set(rows)
    for key, default in rows.items():
        assert keys.get(key) == default.replace(",", ""), (key, keys.get(key), default)


def test_line_bytes(site):
    with site.session(site.new_user()) as k:
        k.ok("NOOP")
        k.send("a SEARCH " + "UNSEEN " * 2000 + "\r\n")
        assert k.response().startswith(b"a BAD [TOOBIG]")
        k.ok("NOOP")


def test_command_bytes(site):
    with site.session(site.new_user()) as k:
        k.send("a LIST {12000+}\r\n" + "x" * 12000 + " {12000+}\r\n" + "x" * 12000 + "\r\n")
        assert k.response().startswith(b"a BAD [TOOBIG]")
        k.send("b LIST {12000}\r\n")
        assert k.response().startswith(b"+")
        k.send("x" * 12000 + " {12000}\r\n")
        assert k.response().startswith(b"b BAD [TOOBIG]")
        k.ok("NOOP")


def test_message_bytes(site):
    with site.session(site.new_user()) as k:
        k.append("INBOX", b"s: x\r\n\r\n" + b"y" * 99000)
        k.no("APPEND INBOX {}", b"y" * 100001, code="TOOBIG")
        k.send("a APPEND INBOX {100001}\r\n")       # before it is sent
        assert k.response().startswith(b"a NO [TOOBIG]")
        assert k.select().exists == 1


def test_literal_before_login_bytes(site):
    with site.connect() as k:
        k.send("a LOGIN {257}\r\n")
        assert k.response().startswith(b"a BAD [TOOBIG]")
        k.send("b LOGIN {257+}\r\n" + "x" * 257 + " y\r\n")
        assert k.response().startswith(b"b BAD [TOOBIG]")
        k.ok("NOOP")


def test_nesting(site):
    """wire/limits.h: 100 levels; what is deeper is BAD, what is not is not."""
    with site.session(site.new_user()) as k:
        k.append("INBOX", b"s: x\r\n\r\ny")
        k.select()
        k.ok("SEARCH " + "(" * 90 + "ALL" + ")" * 90)
        k.bad("SEARCH " + "(" * 101 + "ALL" + ")" * 101)
        k.ok("SEARCH " + "NOT " * 90 + "ALL")
        k.bad("SEARCH " + "NOT " * 101 + "ALL")


# ---- what a connection may do ----

def test_bad_commands():
    with Site(users=(), configure=limit("bad-commands", 5)) as s, s.connect() as k:
        for i in range(5):
            k.send("x WHAT\r\n")
            assert k.response().startswith(b"x BAD")
        assert k.response() == b"* BYE Too many bad commands."
        k.expect_eof()


def test_failed_logins_wait_longer_and_longer_and_then_end_the_connection():
    with Site(users=("alice",), configure=both(
            limit("failed-logins", 5), limit("free-failures", 1),
            limit("first-delay-milliseconds", 200),
            limit("longest-delay-milliseconds", 800))) as s, s.connect() as k:
        took = []
        for _ in range(5):
            start = time.monotonic()
            k.send("x AUTHENTICATE PLAIN " + plain("", "alice", "wrong") + "\r\n")
            assert k.response().startswith(b"x NO [AUTHENTICATIONFAILED]")
            took.append(time.monotonic() - start)
        assert k.response().startswith(b"* BYE")
        k.expect_eof()
        assert took[2] >= .2 and took[3] >= .4 and took[4] >= .8, took
        # another connection from there waits as well; D8
        with s.connect() as other:
            start = time.monotonic()
            other.send("x AUTHENTICATE PLAIN " + plain("", "alice", "wrong") + "\r\n")
            assert other.response().startswith(b"x NO")
            assert time.monotonic() - start >= .8


# ---- how many connections ----

def test_connections_in_all():
    with Site(users=("alice",), configure=limit("connections", 4)) as s:
        held = [s.session("alice") for _ in range(4)]
        for port, how in ((s.ports["imap"], "plain"), (s.ports["imaps"], "tls")):
            late = Conn(port, how)
            assert late.greeting == b"* BYE This server has too many connections; " \
                                    b"try again later."
            late.expect_eof()
        for k in held:
            k.ok("NOOP")
        held.pop().logout()
        wait_until(lambda: try_login(s), what="a place")
        for k in held:
            k.close()


def try_login(s):
    with s.connect() as k:
        if not k.greeting.startswith(b"* OK"):
            return False
        k.login("alice")
        k.logout()
        return True


def test_far_above_the_connections_no_handshake_is_made():
    """4, a quarter and 64 more: who holds them half open has no more of them."""
    with Site(users=("alice",), configure=limit("connections", 4)) as s:
        held = [s.session("alice") for _ in range(3)]
        halves = [raw(s.ports["imaps"]) for _ in range(80)]
        def is_refused():
            with raw(s.ports["imap"]) as late:
                return first_words(late).startswith(b"* BYE [UNAVAILABLE] This server has "
                                                    b"too many connections")
        wait_until(is_refused, what="refusal")
        for k in held:
            k.ok("NOOP")
            k.close()
        for h in halves:
            h.close()
        wait_until(lambda: try_login(s), what="a place")


def test_connections_per_address():
    with Site(users=("alice",), configure=limit("connections-per-address", 3)) as s:
        port = s.ports["imap"]
        held = [s.session("alice") for _ in range(3)]
        with raw(port) as late:
            assert first_words(late) == b"* BYE There are too many connections from your " \
                                        b"address.\r\n"
        with raw(port, source="127.0.0.9") as elsewhere:
            assert elsewhere.recv(4096).startswith(b"* OK")
        for k in held:
            k.ok("NOOP")
            k.close()


def test_sessions_per_user():
    with Site(users=("alice", "bob"), configure=limit("sessions-per-user", 2)) as s:
        held = [s.session("alice") for _ in range(2)]
        with s.connect() as k:
            r = k.authenticate("alice")
            assert r.status == "NO" and r.code == "LIMIT", r
            k.login("bob")
        held.pop().logout()
        with s.session("alice") as k:
            k.ok("NOOP")
        held.pop().close()


# ---- how long ----

def test_before_login_seconds():
    with Site(users=(), configure=limit("before-login-seconds", 1)) as s:
        with s.connect() as k:
            start = time.monotonic()
            assert k.response().startswith(b"* BYE")
            assert .7 < time.monotonic() - start < 5
        with raw(s.ports["imaps"]) as half:           # no handshake: no words
            start = time.monotonic()
            assert first_words(half) == b""
            assert .7 < time.monotonic() - start < 5


def test_idle_seconds_is_half_an_hour_at_least():
    """RFC 9051 section 5.4; a test cannot wait for it, the configuration refuses less."""
    with Site(users=(), start=False, configure=limit("idle-seconds", 1799)) as s:
        r = run("check", s.dir, check=False)
        s.configure(limit("idle-seconds", 1800))
        assert r.returncode != 0 and b"1800" in r.stdout + r.stderr


# ---- memory in all ----

def test_memory_bytes_holds_back_large_commands_and_nobody_else():
    """16 MiB for all. Clients that stop in the middle of 1 MiB commands, and others whose
    large messages come slowly, are held back, then ended one by one; neighbours work."""
    with Site(pool=4, configure=both(
            PATIENT, limit("memory-bytes", 16 << 20), limit("output-bytes", 1 << 20),
            limit("connections", 200), limit("sessions-per-user", 0))) as s:
        user = s.new_user()
        with s.session(user) as k:
            k.append("INBOX", b"s: x\r\n\r\n" + b"0123456789abcde\r\n" * 60000)
        before = rss(s)
        hogs = []
        def hog(data):
            k = s.session(user)
            k.sock.setblocking(False)
            k.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            hogs.append((k, memoryview(data)))
        with Neighbour(s, s.new_user()):
            for i in range(60):
                hog(b"x LIST {1000000+}\r\n" + b"y" * 900000)
            for i in range(30):
                hog(b"x APPEND INBOX {40000000+}\r\n" + b"y" * 4000000)
            most, end = 0, time.monotonic() + 3
            while time.monotonic() < end:
                for i, (k, data) in enumerate(hogs):
                    with contextlib.suppress(OSError):
                        hogs[i] = (k, data[k.sock.send(data[:65536]):])
                most = max(most, rss(s))
                time.sleep(.01)
            if not is_sanitized(s):
                assert most - before < (16 + 24) << 20, most - before
            # a command of its own size goes through meanwhile
            with s.session(s.new_user()) as k:
                k.append("INBOX", b"s: x\r\n\r\n" + b"y" * 8000)
                assert k.select().exists == 1
            # after five seconds room is made
            def ended():
                n = 0
                for k, _ in hogs:
                    with contextlib.suppress(BlockingIOError):
                        n += b"* BYE [UNAVAILABLE]" in k.sock.recv(4096, socket.MSG_PEEK)
                return n
            wait_until(lambda: ended() >= 1, 20, "a BYE for the largest")
        assert any(e["event"] == "short_of_memory" for e in s.log())
        for k, _ in hogs:
            k.close()
        def room():
            """For large ones again, once the server has seen that the others are gone;
            until then it may say BYE [UNAVAILABLE], and a client tries again."""
            with contextlib.suppress(EOFError, OSError):
                with s.session(user) as k:
                    k.append("INBOX", b"s: x\r\n\r\n" + b"y" * 9000000)
                    return True
            return False
        wait_until(room, 30, "room for a large message")


def test_output_bytes_is_all_that_a_slow_reader_costs(site):
    with site.session(site.new_user()) as k:
        for _ in range(20):
            k.append("INBOX", b"s: x\r\n\r\n" + b"0123456789abcde\r\n" * 5000)
        k.select()
        before = rss(site)
        for i in range(50):
            k.send(f"f{i} FETCH 1:* BODY.PEEK[]\r\n")
        time.sleep(1)
        if not is_sanitized(site):
            assert rss(site) - before < 8 << 20
        for i in range(50):                     # and nothing is lost
            assert len(k.finish(f"f{i}").ok().untagged) == 20


# ---- open files ----

def test_reserved_descriptors_are_left_for_the_store():
    """200 descriptors, 100 of them kept: clients hear BYE; whoever is in can work."""
    with Site(pool=3, start=False, configure=both(
            PATIENT, limit("reserved-descriptors", 100))) as s:
        undo = start_with(s, 200)
        try:
            with s.session(s.new_user()) as inside:
                crowd = [raw(s.ports["imap"]) for _ in range(250)]
                words = [c.recv(200) for c in crowd]
                byes = [w for w in words if w.startswith(b"* BYE [UNAVAILABLE]")]
                assert any(w.startswith(b"* OK") for w in words) and len(byes) >= 140
                inside.append("INBOX", b"s: x\r\n\r\n" + b"y" * 100000)
                assert inside.select().exists == 1
                used = len(os.listdir(f"/proc/{s.proc.pid}/fd"))
                assert used < 160, used
                for c in crowd:
                    c.close()
                assert any(e["event"] == "short_of_descriptors" for e in s.log())
                def is_open():
                    with raw(s.ports["imap"]) as c:
                        return c.recv(200).startswith(b"* OK")
                wait_until(is_open, what="a place")
        finally:
            undo()


def start_with(s, files):
    """Starts the site's server with that limit on open files; returns what undoes it."""
    path = s.tmp / "mailstile-with-limit"
    path.write_text(f"#!/bin/sh\nulimit -n {files}\nexec {binary()} \"$@\"\n")
    path.chmod(0o755)
    old = os.environ.get("MAILSTILE_BIN")
    os.environ["MAILSTILE_BIN"] = str(path)
    def undo():
        if old is None:
            del os.environ["MAILSTILE_BIN"]
        else:
            os.environ["MAILSTILE_BIN"] = old
    try:
        s.start()
    except BaseException:
        undo()
        raise
    return undo


def test_fewer_open_files_than_connections_is_in_the_log():
    with Site(users=(), start=False) as s:
        undo = start_with(s, 512)
        undo()
        got = [e for e in s.log() if e["event"] == "descriptors"]
        assert got and got[0]["open_files"] == 512 and got[0]["left_for_connections"] == 256


# ---- the end under load ----

def test_sigterm_under_load_keeps_what_was_acknowledged():
    """Writers pipeline; SIGTERM comes in the middle. Every OK that was read is true after
    the next start, every client hears BYE, and the server ends well and soon."""
    writers = 8
    with Site(pool=writers, configure=PATIENT) as s:
        users = [s.new_user() for _ in range(writers)]
        conns = [s.session(u) for u in users]
        acked, said_bye = [set() for _ in users], [False] * writers
        def write(w):
            k, n = conns[w], 0
            with contextlib.suppress(OSError, EOFError):
                while True:
                    for i in range(8):
                        m = b"Subject: %d-%d\r\n\r\n%s" % (w, n + i, b"z" * 3000)
                        k.send(b"a%d APPEND INBOX {%d+}\r\n%s\r\n" % (n + i, len(m), m))
                    for i in range(8):
                        while True:
                            r = k.response()
                            if r.startswith(b"* BYE"):
                                said_bye[w] = True
                            if r.startswith(b"a"):
                                break
                        if r.startswith(b"a%d OK" % (n + i)):
                            acked[w].add(n + i)
                    n += 8
        threads = [threading.Thread(target=write, args=(w,)) for w in range(writers)]
        for t in threads:
            t.start()
        wait_until(lambda: all(len(a) > 20 for a in acked), what="load")
        start = time.monotonic()
        s.stop()
        assert time.monotonic() - start < 15
        for t in threads:
            t.join()
        assert sum(said_bye) == writers
        s.start()
        for w, user in enumerate(users):
            with s.session(user) as k:
                n = k.select().exists
                assert n >= len(acked[w])
                r = k.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
                there = [int(re.search(rb"Subject: \d+-(\d+)", u)[1]) for u in r.untagged]
                assert len(there) == len(set(there)) and acked[w] <= set(there)
        assert run("check", s.dir).returncode == 0


def test_administrators_have_the_same_limits(site):
    with site.connect() as k:
        k.authenticate("", ADMIN).ok()
        k.user = ADMIN
        k.send("a SEARCH " + "UNSEEN " * 2000 + "\r\n")
        assert k.response().startswith(b"a BAD [TOOBIG]")
