"""COMPRESS=DEFLATE (RFC 4978) ends at the byte that RFC 8437 section 4.1 names, whatever
the client's level, strategy, window and flush, with AUTHENTICATE pipelined behind and
wherever the stream is cut.  The client is Python's zlib (deflate.py)."""

import json
import socket
import subprocess
import threading
import time
import zlib

import pytest

from deflate import ENDINGS, STRATEGIES
from harness import ADMIN, ADMIN_PW, Site, binary, eml, environment, plain
from settings import PATIENT


@pytest.fixture(scope="module")
def site():
    with Site(pool=60, configure=PATIENT) as s:
        yield s


@pytest.fixture
def alice(site):
    return site.new_user()


@pytest.fixture
def bob(site):
    user = site.new_user()
    with site.session(user) as c:
        c.append("INBOX", eml("plain"), "(bobs)")
    return user


def switch_to(user):
    """What a client sends in one write to become somebody else."""
    return (f"u UNAUTHENTICATE\r\n"
            f"l AUTHENTICATE PLAIN {plain(user, ADMIN, ADMIN_PW)}\r\n").encode()


def compressed(site, user, how, ending=None, **options):
    k = site.session(user, how)
    k.layer.options, k.layer.ending = options, ending
    k.compress()
    return k


def is_plain_bob(k, user):
    """Behind the OK nothing is compressed, and bob is who is logged in."""
    assert not k.finish("u").ok().untagged
    assert k.layer.deflate is None and k.layer.inflate is None
    k.finish("l").ok()
    k.user = user
    assert k.select().exists == 1
    assert "COMPRESS=DEFLATE" in k.capability()


@pytest.mark.parametrize("how", ["plain", "tls"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: "+".join(map(str, e)))
def test_S21_ends_at_the_crlf_with_authenticate_behind(site, alice, bob, how, ending):
    # (a) the flush in the same segment; (c) Z_FINISH
    with compressed(site, alice, how, ending) as k:
        k.select()
        k.send(switch_to(bob))
        is_plain_bob(k, bob)
        # and available again: OK, not COMPRESSIONACTIVE
        k.compress()
        assert k.select().exists == 1
        k.bad("COMPRESS DEFLATE")
        k.ok("NOOP")
    # (d) a byte a segment
    with compressed(site, alice, how, ending) as k:
        raw = k.layer.encode(switch_to(bob))
        for i in range(len(raw)):
            k.sock.sendall(raw[i:i + 1])
        is_plain_bob(k, bob)


@pytest.mark.parametrize("level, strategy", [(6, zlib.Z_DEFAULT_STRATEGY), (0, 0),
                                             (9, zlib.Z_FIXED), (6, zlib.Z_HUFFMAN_ONLY)])
def test_S21_the_flush_comes_later_in_its_own_segment(site, alice, bob, level, strategy):
    """(b) The OK does not wait for it, and what follows it is plain."""
    for late in range(1, 6):
        with compressed(site, alice, "plain", [zlib.Z_SYNC_FLUSH], level=level,
                        strategy=strategy, window=15) as k:
            command = k.layer.encode(b"u UNAUTHENTICATE\r\n")
            k.sock.sendall(command[:-late])
            if late < 5:        # the command itself is there
                assert not k.finish("u").ok().untagged
            else:
                time.sleep(0.05)
            k.sock.sendall(command[-late:])
            k.send(switch_to(bob).split(b"\r\n", 1)[1])
            if late == 5:
                k.finish("u").ok()
            k.finish("l").ok()
            assert k.select().exists == 1


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_S21_cut_at_every_byte(site, alice, bob, how):
    """Proof: a burst of two switches, cut once at every byte."""
    k = site.session(alice, how)
    turn = [bob, alice]
    cut, done = 1, False
    while not done:
        user = turn[cut % 2]
        k.compress()
        raw = k.layer.encode(b"n NOOP\r\n" + switch_to(user))
        done = cut >= len(raw)
        k.sock.sendall(raw[:cut])
        if how == "plain":
            time.sleep(0.0005)
        k.sock.sendall(raw[cut:])
        k.finish("n").ok()
        assert not k.finish("u").ok().untagged
        k.finish("l").ok()
        k.user = user
        cut += 1
    k.close()


def test_U22_and_U23_every_level_strategy_window_and_flush(site, alice, bob):
    """The client's side (U23) in all its kinds; the server's OK is compressed and the
    next octet is not (U22), which deflate.py checks byte by byte."""
    k = site.session(alice)
    for level in range(10):
        for strategy in STRATEGIES:
            for ending in ENDINGS:
                k.layer.options = {"level": level, "strategy": strategy}
                k.layer.ending = ending
                k.compress()
                k.send(b"n NOOP\r\n" + switch_to(bob))
                k.finish("n").ok()
                k.finish("u").ok()
                k.finish("l").ok()
                k.user = bob
    assert k.select().exists == 1
    k.close()


def test_commands_behind_unauthenticate_in_the_stream_run_for_nobody(site, alice, bob):
    """What is compressed behind it belongs to no layer: BYE, no OK (U9, U23)."""
    with site.session(alice) as k:
        k.compress()
        k.layer.ending = []
        z = k.layer.deflate
        raw = z.compress(b"u UNAUTHENTICATE\r\nx CREATE stray\r\n" +
                         switch_to(bob).split(b"\r\n", 1)[1] + b"y CREATE stray\r\n")
        k.sock.sendall(raw + z.flush(zlib.Z_SYNC_FLUSH))
        rest = k.expect_bye()
        assert b" OK" not in rest
    for user in (alice, bob):
        with site.session(user) as c:
            assert not c.ok('LIST "" stray').untagged


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_bytes_behind_compress_end_the_connection(site, alice, how):
    """RFC 4978 section 3: the client waits for the result."""
    with site.session(alice, how) as k:
        k.sock.sendall(b"c COMPRESS DEFLATE\r\nx CREATE stray\r\n")
        assert b" OK" not in k.expect_bye()
    with site.session(alice) as k:
        assert not k.ok('LIST "" stray').untagged


def test_refused_compress_leaves_what_follows_alone(site, alice):
    with site.session(alice) as k:
        k.sock.sendall(b"c COMPRESS GZIP\r\nd NOOP\r\n")
        k.finish("c").bad()
        k.finish("d").ok()


def test_rubbish_ends_the_connection(site, alice):
    with site.session(alice) as k:
        k.compress()
        k.sock.sendall(b"x NOOP\r\n")
        assert not k.expect_eof()
    with site.session(alice) as k:      # behind a stream that has ended
        k.compress()
        z = k.layer.deflate
        k.sock.sendall(z.compress(b"x NOOP\r\n") + z.flush(zlib.Z_FINISH))
        k.finish("x").ok()
        k.sock.sendall(b"y NOOP\r\n")
        assert not k.expect_eof()


def test_what_ends_with_finish_may_log_out(site, alice):
    with site.session(alice) as k:
        k.compress()
        z = k.layer.deflate
        k.sock.sendall(z.compress(b"x LOGOUT\r\n") + z.flush(zlib.Z_FINISH))
        rest = k.expect_eof()
        assert b"* BYE" in rest and b"x OK" in rest


def test_a_line_that_inflates_without_end_is_refused_in_its_turn(site, alice):
    """100 MB in 100 KB: the limits count what was inflated, piece by piece."""
    with site.session(alice) as k:
        k.compress()
        z = zlib.compressobj(9, zlib.DEFLATED, -15)
        raw = b"".join(z.compress(b"x" * 1000000) for _ in range(100))
        raw += z.flush(zlib.Z_SYNC_FLUSH)
        k.sock.sendall(raw)
        rest = b""
        while b"\r\n" not in rest and not k.eof:
            k.fill()
            rest = bytes(k.rx[k.pos:])
        assert b"BAD" in rest or b"BYE" in rest, rest
    with site.session(alice) as k:
        k.ok("NOOP")


def test_a_literal_that_inflates_is_counted_as_it_is(site, alice):
    with site.session(alice) as k:
        k.compress()
        body = b"Subject: zeros\r\n\r\n" + b"0" * 3000000
        k.append("INBOX", body)
        k.select()
        assert k.ok("FETCH 1 RFC822.SIZE").one(rb"\* 1 FETCH \(RFC822.SIZE (\d+)\)")[1] == \
            b"%d" % len(body)
        start = len(k.rx)
        r = k.ok("FETCH 1 BODY.PEEK[]")
        assert body in r.untagged[0] and len(k.rx) - start > 3000000


def test_large_answers_and_pipelines_go_through(site, alice):
    """Mail of all kinds, in one pipeline, read slowly: nothing lost, nothing doubled."""
    samples = ["plain", "multi", "qp", "latin1", "reply"]
    with site.session(alice, "deflate") as k:
        for s in samples * 40:
            k.append("INBOX", eml(s))
        k.select()
        tags = [k.start("FETCH 1:* BODY.PEEK[]") for _ in range(4)]
        time.sleep(0.3)
        for t in tags:
            got = k.finish(t).ok().untagged
            assert len(got) == 200
            for i, r in enumerate(got):
                assert r.endswith(eml(samples[i % 5]) + b")"), i


def test_session_counters_are_of_what_was_said(site, alice):
    """The audit line counts IMAP's bytes, not the compressed ones."""
    with site.session(alice) as k:
        k.compress()
        k.ok("NOOP")
        k.logout()
    entry = site.wait_log(lambda e: e.get("event") == "epoch" and e.get("authzid") == alice
                          and e.get("commands", 0) >= 3)
    assert entry["bytes_out"] > 100


class Cutter:
    """Stands between a client and the server and cuts both directions into pieces of `size`;
    without one each burst once, the next one of its kind a byte later."""

    FIRST = 300                 # where a burst of a switch changes from one layer to the other

    def __init__(self, port, size=None):
        self.port, self.size = port, size
        self.cuts = [{}, {}]    # of a direction: kind of burst (hundreds of bytes), where
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            for a, c, cuts in ((client, server, self.cuts[0]), (server, client, self.cuts[1])):
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.relay, args=(a, c, cuts), daemon=True).start()

    def pieces(self, data, cuts):
        if self.size:
            return [data[i:i + self.size] for i in range(0, len(data), self.size)]
        of_kind = cuts.setdefault(len(data) // 100, [])
        at = len(of_kind) % min(len(data), self.FIRST)
        of_kind.append(at)
        return [p for p in (data[:at], data[at:]) if p]

    def relay(self, a, c, cuts):
        try:
            while data := a.recv(65536):
                for piece in self.pieces(data, cuts):
                    c.sendall(piece)
                    if not self.size:
                        time.sleep(0.0005)
            c.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def was_cut_everywhere(self, bursts):
        """In each direction, at each byte of a kind that came at least so often."""
        return all(any(len(where) >= bursts and set(where) >= set(range(min(kind * 100,
                                                                            self.FIRST)))
                       for kind, where in cuts.items() if kind)
                   for cuts in self.cuts)

    def close(self):
        self.listener.close()


def act(site, tmp_path, relay, users):
    """`mailstile act --compress` over `relay`: one connection, one user after another, each
    compressed, with AUTHENTICATE pipelined behind UNAUTHENTICATE."""
    (tmp_path / "users").write_text("".join(u + "\n" for u in users))
    done = subprocess.run(
        [binary(), "act", "--server", f"imap://127.0.0.1:{relay.listener.getsockname()[1]}",
         "--plaintext", "--compress", "--as", ADMIN, "--connections", "1",
         "--password-file", site.password_file("act", ADMIN_PW),
         "--users", tmp_path / "users", "--json", "--summary-json", tmp_path / "summary",
         "status"],
        capture_output=True, text=True, timeout=120, env=environment(), cwd=tmp_path)
    relay.close()
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary").read_text())
    assert summary["connections"] == 1 and summary["reconnects"] == 0, summary
    assert summary["compressed"] == len(users), summary
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 65536])
def test_C3_our_client_ends_its_own_side_and_reads_to_the_end_of_ours(site, tmp_path, size):
    users = [site.new_user() for _ in range(12)]
    for u in users[::3]:
        with site.session(u) as c:
            c.append("INBOX", eml("plain"))
    lines = act(site, tmp_path, Cutter(site.ports["imap"], size), users)
    assert {o["user"] for o in lines} == set(users)
    for o in lines:
        assert o["mailboxes"][0]["messages"] == (o["user"] in users[::3]), o


def test_C3_our_client_is_cut_at_every_byte(site, tmp_path):
    site.add_pool(400)
    users = [site.new_user() for _ in range(400)]
    with site.session(users[0]) as c:
        c.append("INBOX", eml("plain"))
    relay = Cutter(site.ports["imap"])
    lines = act(site, tmp_path, relay, users)
    assert len(lines) == len(users)
    for o in lines:
        assert o["mailboxes"][0]["messages"] == (o["user"] == users[0]), o
    assert relay.was_cut_everywhere(len(users) - 10), \
        [{k: len(c) for k, c in cuts.items()} for cuts in relay.cuts]
