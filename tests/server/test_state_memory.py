"""The state table's last rows (doc/unauthenticate.md): what stays in memory when a user is gone."""

import base64
import os
import re
import secrets

import pytest

from harness import ADMIN, ADMIN_PW, Site, eml, plain, run, wait_until
from neighbour import rss
from settings import PATIENT

CYCLES = int(os.environ.get("MAILSTILE_SOAK", "1500"))


def memory(pid):
    """All memory of the process that it may write, a mapping at a time."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not m or "[vvar]" in line:
                continue
            at, end = int(m[1], 16), int(m[2], 16)
            if end - at > 1 << 36:      # the sanitizers' shadow, without bytes of ours
                continue
            while at < end:
                n = min(end - at, 1 << 24)
                try:
                    mem.seek(at)
                    yield mem.read(n)
                except (OSError, ValueError):       # shadow memory that nothing backs
                    break
                at += n


def holds(pid, *needles):
    """Which of them are in memory; blocks are large, none of ours lies across two."""
    found = set()
    for block in memory(pid):
        found |= {n for n in needles if n in block}
    return found


def short(password):
    """Needles: the password, and what its base64 has of it at each of three offsets."""
    text = password.encode()
    codes = [base64.b64encode(bytes(k) + text)[4:-4] for k in range(3)]
    return [text] + [c[4:-4] for c in codes]


@pytest.fixture
def lean(monkeypatch):
    """Freed memory is given back at once under ASan too, so that growth is ours."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:quarantine_size_mb=1")


def test_S69_no_secret_of_a_login_stays_in_memory(lean, tmp_path):
    secret = "needle" + secrets.token_hex(16)
    needles = short(secret)
    file = tmp_path / "password"
    file.write_text(secret + "\n")
    with Site(users=(), pool=4, configure=PATIENT) as site:
        run("user", "add", site.dir, "dora", "--password-file", file)
        run("user", "passwd", site.dir, ADMIN, "--password-file", file)
        site.hangup()
        pid = site.proc.pid
        alice = site.new_user()
        with site.connect("tls") as k, site.connect("plain") as other:
            # Half a command: it must be found there, or this test finds nothing.
            other.send(f'x LOGIN dora "{secret}')
            wait_until(lambda: holds(pid, needles[0]), what="a secret in an input buffer")
            other.send('x"\r\n')
            other.finish("x").no("AUTHENTICATIONFAILED")
            for _ in range(3):
                k.ok("AUTHENTICATE PLAIN " + plain(alice, ADMIN, secret))
                k.append("INBOX", eml("plain"))
                k.unauthenticate()
                k.send("a AUTHENTICATE PLAIN\r\n")
                assert k.response().startswith(b"+")
                k.send(plain(alice, ADMIN, secret) + "\r\n")
                k.finish("a").ok()
                k.unauthenticate()
            assert not holds(pid, *needles)
            k.ok(f'LOGIN dora "{secret}"')
            assert not holds(pid, *needles)


def test_S72_memory_is_constant_over_many_users(lean):
    """MAILSTILE_SOAK=100000 for the long form; transcripts are compared by random_pairs.py."""
    with Site(pool=40, configure=PATIENT) as site:
        users = [site.new_user() for _ in range(20)]
        for u in users:
            with site.session(u) as c:
                c.append("INBOX", eml("multi"))
        with site.connect("tls") as k:
            k.login(users[0])

            def cycles(n):
                for i in range(n):
                    u = users[i % len(users)]
                    k.send(f"u UNAUTHENTICATE\r\na AUTHENTICATE PLAIN {admin_plain(u)}\r\n"
                           "s SELECT INBOX\r\ne ENABLE IMAP4rev2\r\n"
                           "h UID SEARCH RETURN (SAVE) ALL\r\nf FETCH 1 (ENVELOPE BODY[])\r\n"
                           "t STORE 1 +FLAGS (\\Flagged $x)\r\nl LIST \"\" *\r\n")
                    for tag in "uasehftl":
                        k.finish(tag)

            cycles(CYCLES // 3)
            before = rss(site)
            cycles(CYCLES)
            assert rss(site) - before < (6 << 20), (before, rss(site))


def admin_plain(user):
    return plain(user, ADMIN, ADMIN_PW)
