"""Bytes that no honest client sends, and a neighbour that does not notice them."""

import contextlib
import os
import resource
import socket
import struct
import time

import pytest

from harness import Site, eml, wait_until
from neighbour import Neighbour, is_sanitized, rss
from settings import PATIENT, both, limit

HALF_OPEN = int(os.environ.get("MAILSTILE_HALF_OPEN", "5000"))


@pytest.fixture(scope="module")
def site():
    with Site(pool=60, configure=both(
            PATIENT, limit("before-login-seconds", 3), limit("connections", 20000),
            limit("slow-reader-seconds", 10),
            limit("connections-per-address", 20000))) as s:
        yield s


@pytest.fixture
def calm(site):
    with Neighbour(site, site.new_user()) as n:
        yield n


def still_fine(k):
    k.ok("NOOP")


@pytest.mark.parametrize("line", [
    b"x NO\0OP\r\n", b"x NOOP\n", b"x NO\rOP\r\n", b"x \xff\xfe\r\n", b"\r\n", b"x\r\n",
    b"x NOOP\r\r\n", b"\0\0\0\0\r\n", b"x LOGIN {3\r\n", b"x {99999999999999999999}\r\n",
    b"x UID\r\n", b"+ NOOP\r\n", b"* NOOP\r\n",
], ids=repr)
def test_a_bad_line_gets_bad_and_the_next_command_its_answer(site, calm, line):
    with site.session(site.new_user()) as k:
        k.send(line)
        with contextlib.suppress(EOFError):
            r = k.response()
            assert b" BAD " in r or r.startswith(b"* BYE"), r
            if b" BAD " in r:
                still_fine(k)
            return
        raise AssertionError("closed without a word")


def test_nul_in_a_literal_is_refused_and_the_connection_goes_on(site, calm):
    with site.session(site.new_user()) as k:
        k.bad("SELECT {}", b"a\0b")
        k.bad("APPEND INBOX {}", b"a\0b")
        still_fine(k)


def test_a_line_that_does_not_end_is_not_kept(site, calm):
    with site.session(site.new_user()) as k:
        before = rss(site)
        k.send(b"x SEARCH ")
        for _ in range(16):
            k.send(b"A" * (1 << 20))
        k.send(b"\r\n")
        assert k.response().startswith(b"x BAD [TOOBIG]")
        still_fine(k)
        if not is_sanitized(site):
            assert rss(site) - before < 8 << 20


@pytest.mark.parametrize("size", [1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, 1 << 64])
def test_a_huge_literal_is_refused_before_it_is_sent(site, calm, size):
    with site.session(site.new_user()) as k:
        before = rss(site)
        for command in ("SELECT", "APPEND INBOX"):
            k.send(f"x {command} {{{size}}}\r\n")
            try:
                r = k.response()
            except EOFError:
                raise AssertionError("closed without a word")
            if r.startswith(b"+"):      # it fits: nothing is held for it yet
                break
            assert r.startswith((b"x BAD", b"x NO", b"* BYE", b"* BAD")), r
            if r.startswith(b"* BYE"):
                break
        if not is_sanitized(site):
            assert rss(site) - before < 16 << 20


def test_ten_thousand_parentheses(site, calm):
    deep = "(" * 10000
    with site.session(site.new_user()) as k:
        k.append("INBOX", eml("plain"))
        k.select()
        for command in (f"SEARCH {deep}ALL{')' * 10000}", f"SEARCH {deep}",
                        "SEARCH" + " NOT" * 10000 + " ALL", "SEARCH" + " OR" * 10000 + " ALL",
                        f"FETCH 1 {deep}FLAGS{')' * 10000}", f"STORE 1 FLAGS {deep}",
                        f"LIST {deep}", f"STATUS INBOX {deep}", f"ID {deep}",
                        f"FETCH 1 BODY[{'1.' * 10000}1]"):
            k.bad(command)
        still_fine(k)


def test_ten_thousand_nested_parts_of_a_message(site, calm):
    """The scanner, FETCH BODYSTRUCTURE and SEARCH over a message that is all structure."""
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
                      for i in range(10000))
    wrapped = b"Content-Type: message/rfc822\r\n\r\n" * 10000
    with site.session(site.new_user()) as k:
        for message in (nested, wrapped):
            k.append("INBOX", message)
        k.select()
        k.cmd("FETCH 1:2 (ENVELOPE BODYSTRUCTURE)")
        k.cmd("SEARCH TEXT unheard-of")
        k.cmd("FETCH 1:2 BODY.PEEK[" + "1." * 90 + "1]")
        still_fine(k)


def test_what_is_not_tls(site, calm):
    """A record cut short, one that is too long, one of no type, plain text, noise."""
    port = site.ports["imaps"]
    for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"\x16\x03\x03\xff\xff" + b"A" * 70000,
                 b"\x99\x03\x03\x00\x10" + b"A" * 16, b"a1 LOGIN x y\r\n", os.urandom(4096),
                 b"\x16\x03\x01\x00\x00" * 2000, b"\x15\x03\x03\x00\x02\x02\x28"):
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            with contextlib.suppress(OSError):
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass


def test_a_tls_record_cut_short_within_a_session(site, calm):
    with site.session(site.new_user(), how="tls") as k:
        raw = socket.socket(fileno=os.dup(k.sock.fileno()))
        raw.sendall(b"\x17\x03\x03\x40\x00" + b"x" * 1000)
        raw.shutdown(socket.SHUT_WR)
        raw.close()
        assert not k.expect_eof()
    with site.session(site.new_user(), how="tls") as k:
        raw = socket.socket(fileno=os.dup(k.sock.fileno()))
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)      # no key made this
        raw.close()
        with contextlib.suppress(OSError):
            assert not k.expect_eof()


def test_a_client_that_vanishes_in_a_literal_leaves_nothing(site, calm):
    user = site.new_user()
    for reset in (False, True):
        for size, sent in ((1000, 10), (20 << 20, 9 << 20), (1000, 1000)):
            k = site.session(user)
            k.send(b"x APPEND INBOX {%d+}\r\n" % size + b"y" * sent)
            if reset:
                k.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            k.close()
    with site.session(user) as k:
        time.sleep(.3)
        assert k.select().exists == 0


def test_one_that_never_reads_is_held_and_ended(site, calm):
    user = site.new_user()
    with site.session(user) as k:
        k.append("INBOX", b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 60000)
        k.select()
        before = rss(site)
        k.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(60)))
        time.sleep(2)
        if not is_sanitized(site):
            assert rss(site) - before < 24 << 20
        # slow-reader-seconds is 10: then its session is over
        wait_until(lambda: [e for e in site.log() if e["event"] == "epoch"
                            and e["authzid"] == user], 20, "its end")


def test_one_byte_a_second_is_ended_by_the_time_to_log_in(site, calm):
    """before-login-seconds is 3; with TLS and without, in a line and in a literal."""
    start = time.monotonic()
    socks = [socket.create_connection(("127.0.0.1", site.ports[p]), 20)
             for p in ("imap", "imaps") for _ in range(20)]
    socks[0].sendall(b"a LOGIN {4000}\r\n")
    for s in socks:
        s.setblocking(False)
    left = set(socks)
    while left and time.monotonic() - start < 15:
        for s in list(left):
            try:
                if s.recv(4096) == b"":
                    left.discard(s)
                    continue
            except BlockingIOError:
                pass
            except OSError:
                left.discard(s)
                continue
            with contextlib.suppress(OSError):
                s.send(b"\x16" if s.getpeername()[1] == site.ports["imaps"] else b"x")
        time.sleep(1)
    for s in socks:
        s.close()
    assert not left, f"{len(left)} are still here after {time.monotonic() - start:.0f} s"
    assert time.monotonic() - start > 2


def test_half_open_handshakes(site, calm):
    """As many as the machine allows up to 5,000, each with a piece of a ClientHello."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(HALF_OPEN, hard // 2 - 1200)
    assert count >= 500, "the limit on open files is too low for this test"
    before = rss(site)
    socks = []
    try:
        for i in range(count):
            s = socket.create_connection(("127.0.0.1", site.ports["imaps"]), 20,
                                         (f"127.0.0.{i % 50 + 1}", 0))
            s.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            socks.append(s)
        with site.session(site.new_user(), how="tls") as k:
            still_fine(k)
        if not is_sanitized(site):
            assert (rss(site) - before) / count < 64 << 10
        # 3 seconds to log in, handshake and all
        for s in socks[::100] + socks[-1:]:
            s.settimeout(15)
            with contextlib.suppress(ConnectionResetError):
                assert s.recv(100) == b""
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with site.session(site.new_user(), how="tls") as k:
        still_fine(k)
