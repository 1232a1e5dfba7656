"""Large things, small in ./test and full with MAILSTILE_LARGE=1 (use a release build, and
`-s` to see the figures): a message of 1 GiB, a mailbox of 1,000,000 messages, 100,000
mailboxes in an account, 1,000,000 accounts, 10,000 connections."""

import contextlib
import hashlib
import os
import re
import resource
import threading
import time

import pytest

import harness
from harness import ADMIN, ADMIN_PW, Site, plain, run
from neighbour import Neighbour, is_sanitized, rss
from settings import PATIENT, both, limit

FULL = os.environ.get("MAILSTILE_LARGE") == "1"
MIB = 1 << 20
if FULL:
    harness.TIMEOUT = 600
    harness.PROGRAM_TIMEOUT = 7200  # a check of a million accounts


def size(full, small):
    return full if FULL else small


class Watch:
    """Time, and the most that the server held meanwhile: `with Watch(site, "what") as w:`."""

    def __init__(self, site, what):
        self.site, self.what = site, what
        self.done = threading.Event()

    def look(self):
        while not self.done.wait(.05):
            with contextlib.suppress(OSError, TypeError):
                self.most = max(self.most, rss(self.site))

    def __enter__(self):
        self.before = self.most = rss(self.site)
        self.start = time.monotonic()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.seconds = time.monotonic() - self.start
        self.done.set()
        self.thread.join()
        self.most = max(self.most, rss(self.site))
        print(f"{self.what}: {self.seconds:.2f} s, server {self.before / MIB:.0f} MiB, at most "
              f"{self.most / MIB:.0f} MiB")

    def held(self, most):
        """No more memory than that on top (sanitizers have their own)."""
        if not is_sanitized(self.site):
            assert self.most - self.before < most, f"{(self.most - self.before) / MIB:.0f} MiB"


def setting(*more):
    return both(PATIENT, limit("sessions-per-user", 0), limit("connections", 20000),
                limit("connections-per-address", 20000), *more)


@pytest.fixture(scope="module")
def site():
    with Site(users=("alice",), pool=20, configure=setting(
            limit("message-bytes", 2 << 30))) as s:
        yield s


# ---- a message ----

LINE = b"".join(b"%08d of many lines that are all alike\r\n" % i for i in range(1000))


def pieces(total):
    """A message of so many bytes, in pieces."""
    head = b"Subject: large\r\nContent-Type: text/plain\r\n\r\n"
    yield head
    left = total - len(head)
    while left:
        yield LINE[:left]
        left -= min(left, len(LINE))


def drain(k, tag, digest):
    """A FETCH of one literal, which goes into `digest`."""
    n = int(re.search(rb"\{(\d+)\}\r\n$", k.line())[1])
    left = n
    take = min(left, len(k.rx) - k.pos)
    digest.update(k.rx[k.pos:k.pos + take])
    k.pos += take
    left -= take
    k.sock.settimeout(harness.TIMEOUT)
    while left:
        data = k.sock.recv(min(left, MIB))
        assert data
        digest.update(data)
        left -= len(data)
    k.finish(tag).ok() if k.line() == b")\r\n" else pytest.fail("no end")
    return n


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_a_message_of_a_gibibyte(site, how):
    total = size(1 << 30, 40 * MIB)
    user = site.new_user()
    sent = hashlib.sha256()
    with site.session(user, how=how) as k, Neighbour(site, site.new_user()):
        with Watch(site, f"APPEND of {total} bytes, {how}") as w:
            k.send(b"a APPEND INBOX {%d+}\r\n" % total)
            for piece in pieces(total):
                sent.update(piece)
                k.send(piece)
            k.send(b"\r\n")
            k.finish("a").ok()
        w.held(64 * MIB)
        k.select()
        got = hashlib.sha256()
        with Watch(site, "FETCH BODY[]") as w:
            assert drain(k, k.start("FETCH 1 BODY.PEEK[]"), got) == total
        w.held(64 * MIB)
        assert got.digest() == sent.digest()
        with Watch(site, "the last bytes, COPY and SEARCH TEXT") as w:
            r = k.ok(f"FETCH 1 (RFC822.SIZE BODY.PEEK[]<{total - 10}.100>)")
            assert b"RFC822.SIZE %d" % total in r.untagged[0]
            k.ok("COPY 1 INBOX")
            assert k.ok("SEARCH TEXT unheard-of").untagged[-1].startswith(b"* SEARCH")
        w.held(96 * MIB)


# ---- a mailbox ----

def test_a_mailbox_of_a_million_messages(site):
    appended, doublings = size((62500, 4), (500, 3))
    total = appended << doublings
    user = site.new_user()
    with site.session(user) as k, Neighbour(site, site.new_user()):
        k.ok("CREATE box")
        with Watch(site, f"{appended} messages appended, 500 in a command"):
            for first in range(0, appended, 500):
                parts = b"".join(b" {%d+}\r\n%s" % (len(m), m) for m in (
                    b"Subject: number %d\r\n\r\nbody\r\n" % n
                    for n in range(first, min(first + 500, appended))))
                k.send(b"a APPEND box" + parts + b"\r\n")
                k.finish("a").ok()
        k.select("box")
        for _ in range(doublings):
            with Watch(site, "COPY 1:* to itself"):
                k.ok("COPY 1:* box")
        with site.session(user) as fresh:
            with Watch(site, "SELECT") as w:
                assert fresh.select("box").exists == total
            with Watch(site, "FETCH 1:* (UID FLAGS)") as w:
                tag = fresh.start("FETCH 1:* (UID FLAGS)")
                assert len(fresh.finish(tag).ok().untagged) == total
            w.held(128 * MIB)
            for command in ("STORE 1 +FLAGS (\\Seen)", "SEARCH UNSEEN",
                            "SEARCH SUBJECT \"number 17\"",
                            "STORE 1:* +FLAGS.SILENT (\\Flagged)",
                            "STATUS box (MESSAGES UNSEEN)"):
                fresh.rx.clear()
                fresh.pos = 0
                with Watch(site, command):
                    fresh.ok(command)
            with Watch(site, "one APPEND, and it is seen"):
                fresh.append("box", b"Subject: last\r\n\r\nbody\r\n")
            fresh.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            with Watch(site, "EXPUNGE of all"):
                assert len(fresh.ok("EXPUNGE").untagged) >= total
            assert fresh.select("box").exists == 0


# ---- an account ----

def test_a_hundred_thousand_mailboxes(site):
    folders, each = size((1000, 100), (20, 50))
    total = folders * each
    user = site.new_user()
    with site.session(user) as k, Neighbour(site, site.new_user()):
        with Watch(site, f"CREATE of {total} mailboxes"):
            for f in range(folders):
                k.send("".join(f"a{i} CREATE f{f}/box{i}\r\n" for i in range(each)))
                for i in range(each):
                    k.finish(f"a{i}").ok()
        with Watch(site, "LIST of all") as w:
            assert len(k.ok('LIST "" "*"').untagged) >= total
        for command in ('LIST "" "%"', 'LIST "" "f7/%" RETURN (STATUS (MESSAGES))',
                        "RENAME f7 g7", "RENAME g7 f7", "SELECT f7/box7",
                        'LIST (SUBSCRIBED) "" "*"'):
            with Watch(site, command):
                k.ok(command)
        w.held(256 * MIB)
        with site.session(user) as other, Watch(site, "first LIST of another session"):
            assert len(other.ok('LIST "" "*"').untagged) >= total
        k.ok("UNSELECT")
        with Watch(site, "DELETE of a tenth"):
            for f in range(0, folders, 10):
                k.send("".join(f"a{i} DELETE f{f}/box{i}\r\n" for i in range(each)))
                for i in range(each):
                    k.finish(f"a{i}").ok()


# ---- a site ----

def test_a_million_accounts():
    """Each gets one message, by administrators who switch from one to the next."""
    total, lanes = size(1000000, 1000), size(96, 8)
    with Site(users=(), start=False, configure=setting()) as s:
        names = [f"user{n:07d}" for n in range(total)]
        start = time.monotonic()
        run("user", "add", s.dir, stdin="".join(n + "\n" for n in names).encode(),
            timeout=600)
        print(f"user add of {total}: {time.monotonic() - start:.2f} s")
        start = time.monotonic()
        s.start()
        print(f"start: {time.monotonic() - start:.2f} s, {rss(s) / MIB:.0f} MiB")
        message = b"Subject: hello\r\n\r\nhello\r\n"
        faults = []
        def deliver(mine):
            try:
                with s.connect() as k:
                    for at in range(0, len(mine), 50):
                        some = mine[at:at + 50]
                        k.send(b"".join(
                            b"a%d AUTHENTICATE PLAIN %s\r\nb%d APPEND INBOX {%d+}\r\n%s\r\n"
                            b"c%d UNAUTHENTICATE\r\n" % (
                                i, plain(n, ADMIN, ADMIN_PW).encode(), i, len(message),
                                message, i) for i, n in enumerate(some)))
                        for i in range(len(some)):
                            for step in "abc":
                                k.finish(f"{step}{i}").ok()
                        if len(k.rx) > MIB:
                            del k.rx[:k.pos]
                            k.pos = 0
            except BaseException as e:
                faults.append(e)
        threads = [threading.Thread(target=deliver, args=(names[i::lanes],))
                   for i in range(lanes)]
        with Watch(s, f"a login, an APPEND and a switch for each of {total}") as w:
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        assert not faults, faults[0]
        w.held(size(1024, 64) * MIB)
        start = time.monotonic()
        s.restart()
        print(f"restart: {time.monotonic() - start:.2f} s, {rss(s) / MIB:.0f} MiB")
        for n in (names[0], names[total // 2], names[-1]):
            with s.session(n) as k:
                assert k.select().exists == 1


# ---- connections ----

def test_ten_thousand_connections():
    """All behind TLS, logged in, with a mailbox open and in IDLE; then mail comes."""
    total, users = size((10000, 100), (300, 10))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard > total + 200, "the limit on open files is too low"
    conns = []
    try:
        with Site(pool=users + 1, configure=setting()) as s:
            names = [s.new_user() for _ in range(users)]
            context = harness.ssl.SSLContext(harness.ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = harness.ssl.CERT_NONE
            with Neighbour(s, s.new_user()):
                with Watch(s, f"{total} connections with TLS in IDLE") as w:
                    for i in range(total):
                        k = s.connect("tls", context=context)
                        conns.append(k)
                        k.send(f"a AUTHENTICATE PLAIN "
                               f"{plain(names[i % users], ADMIN, ADMIN_PW)}\r\n"
                               f"b SELECT INBOX\r\nc IDLE\r\n")
                    for k in conns:
                        k.finish("a").ok()
                        k.finish("b").ok()
                        assert k.response().startswith(b"+")
                each = (rss(s) - w.before) / total
                print(f"{each / 1024:.1f} KiB a connection")
                if not is_sanitized(s):
                    assert each < 64 << 10
                start = time.monotonic()
                for name in names:
                    with s.session(name) as k:
                        k.append("INBOX", b"Subject: news\r\n\r\nnews\r\n")
                for k in conns:
                    assert k.response() == b"* 1 EXISTS"
                print(f"a message for each user told to all: {time.monotonic() - start:.2f} s")
            for k in conns:
                k.close()
    finally:
        for k in conns:
            k.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
