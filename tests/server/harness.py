"""A mailstile site for black-box tests, and a connection that shows every byte.

`Site` makes a site in a temporary directory with the binary that MAILSTILE_BIN
names (default: build/mailstile), starts it on free loopback ports, and ends it
by its process id.  Ending it fails when the server exited non-zero or printed a
sanitizer report, so every test that uses a site is also a sanitizer test.

`Conn` speaks IMAP over plain TCP, STARTTLS or implicit TLS without helping:
nothing is parsed away, and every received byte stays in `Conn.rx`.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from deflate import Wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = float(os.environ.get("MAILSTILE_TEST_TIMEOUT", "20"))
PROGRAM_TIMEOUT = 120  # of a command, in seconds
ADMIN, ADMIN_PW = "root", "root's secret"
USER_PW = "user's secret"
LITERAL_END = re.compile(rb"\{(\d+)\+?\}\r\n$")
SANITIZER = re.compile(
    rb"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|"
    rb"runtime error:|Assertion .* failed|stack smashing")


def binary():
    path = os.environ.get("MAILSTILE_BIN") or str(ROOT / "build" / "mailstile")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"no server to test: {path} (set MAILSTILE_BIN)")
    return path


def b(text):
    return text if isinstance(text, bytes) else text.encode()


def plain(authzid, authcid, password):
    """The initial response of SASL PLAIN (RFC 4616 section 2), in base64."""
    raw = b"\0".join((b(authzid), b(authcid), b(password)))
    return base64.b64encode(raw).decode()


def eml(name):
    """A sample message of tests/server/mail, in CRLF form."""
    data = (pathlib.Path(__file__).parent / "mail" / f"{name}.eml").read_bytes()
    return re.sub(rb"\r?\n", b"\r\n", data)


def environment():
    """The tests' environment with sanitizers that report and do not go on."""
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    env["LC_ALL"] = "C.UTF-8"
    return env


def run(*args, stdin=None, check=True, timeout=None, cwd=None):
    """Runs the binary with `args`; stdout, stderr and returncode are bytes/int."""
    res = subprocess.run([binary(), *map(str, args)], input=stdin, cwd=cwd,
                         capture_output=True, timeout=timeout or PROGRAM_TIMEOUT,
                         env=environment())
    if SANITIZER.search(res.stderr):
        raise AssertionError(res.stderr.decode(errors="replace"))
    if check and res.returncode != 0:
        raise AssertionError(f"{args}: exit {res.returncode}\n"
                             f"{res.stdout.decode(errors='replace')}"
                             f"{res.stderr.decode(errors='replace')}")
    return res


class Site:
    """One site; `with Site() as site:` initialises, starts and ends it.

    `users`: names that can log in with USER_PW.  `pool`: how many nameless
    accounts to create for `new_user`, which only the administrator can become.
    `configure`: gets and returns the text of mailstile.yaml before the start.
    """

    def __init__(self, users=("alice", "bob", "carol"), pool=0, configure=None,
                 plaintext=True, start=True):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="mailstile-test-"))
        self.dir = self.tmp / "site"
        self.proc, self.ports = None, {}
        self.terminated = None
        self.names = iter(())
        self.name_lock = threading.Lock()
        self.serial = 0
        self.log_path = self.tmp / "log"
        self.pw_file = self.password_file("user", USER_PW)
        args = ["init", self.dir, "--imap", "0", "--imaps", "0",
                "--listen", "127.0.0.1", "--admin", ADMIN,
                "--password-file", self.password_file("admin", ADMIN_PW)]
        if plaintext:
            args.append("--plaintext-login")
        try:
            self.init_out = run(*args).stdout
            if users:
                self.add_users(users, self.pw_file)
            if pool:
                self.add_pool(pool)
            if configure:
                self.configure(configure)
            if start:
                self.start()
        except BaseException:
            self.kill()
            shutil.rmtree(self.tmp, ignore_errors=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
            run("check", self.dir)      # every invariant of the store still holds
        except AssertionError:
            if kind is None:
                raise
            raise AssertionError(f"{value}\n--- and the server:\n"
                                 f"{self.stderr()[-6000:]}") from value
        finally:
            self.kill()
            shutil.rmtree(self.tmp, ignore_errors=True)

    # -- the command line ---------------------------------------------------
    def password_file(self, name, password):
        path = self.tmp / f"{name}.password"
        path.write_text(password + "\n")
        path.chmod(0o600)
        return path

    def add_users(self, names, pw_file=None):
        args = ["user", "add", self.dir]
        if pw_file:
            args += ["--password-file", pw_file]
        run(*args, stdin="".join(n + "\n" for n in names).encode())

    def add_pool(self, count):
        names = [f"u{self.serial + i:06d}" for i in range(count)]
        self.serial += count
        self.add_users(names)
        self.names = iter([*self.names, *names])

    def new_user(self):
        """A name that nobody used before (of the pool; it grows when empty)."""
        with self.name_lock:
            name = next(self.names, None)
            if name is None:
                self.add_pool(50)
                name = next(self.names)
            return name

    def configure(self, change):
        path = self.dir / "mailstile.yaml"
        path.write_text(change(path.read_text()))

    # -- the process --------------------------------------------------------
    def start(self):
        log = open(self.log_path, "ab")
        self.log_from = log.tell()
        self.proc = subprocess.Popen([binary(), "serve", str(self.dir)],
                                     stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, env=environment())
        log.close()
        end = time.monotonic() + TIMEOUT
        want = {"imap", "imaps"}
        while time.monotonic() < end:
            self.ports = {e["listener"]: int(e["port"]) for e in self.log()
                          if e.get("event") == "listening" and "port" in e}
            if want <= set(self.ports):
                return
            if self.proc.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"the server did not start:\n{self.stderr()}")

    def terminate(self):
        """SIGTERM, once: a second one ends the server at once."""
        if self.terminated is not self.proc and self.proc.poll() is None:
            self.terminated = self.proc
            self.proc.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM; fails unless the server ends with 0 and without a report."""
        if self.proc is None:
            return
        self.terminate()
        try:
            rc = self.proc.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it:\n{self.stderr()[-4000:]}")
        self.proc = None
        text = self.log_path.read_bytes()[self.log_from:]
        assert not SANITIZER.search(text), text[-20000:].decode(errors="replace")
        assert rc == 0, f"exit {rc}:\n{self.stderr()[-4000:]}"

    def kill(self):
        if self.proc is not None:
            self.proc.kill()
            self.proc.wait()
            self.proc = None

    def restart(self):
        self.stop()
        self.start()

    def hangup(self):
        """SIGHUP, and waits until the server says that it has reloaded."""
        before = len(self.log())
        self.proc.send_signal(signal.SIGHUP)
        self.wait_log(lambda e: str(e.get("event", "")).startswith("reload"), before)

    # -- the log ------------------------------------------------------------
    def stderr(self):
        with contextlib.suppress(OSError):
            return self.log_path.read_bytes().decode(errors="replace")
        return ""

    def log(self):
        """The log's complete lines as objects."""
        out = []
        with contextlib.suppress(OSError):
            data = self.log_path.read_bytes()[getattr(self, "log_from", 0):]
            for line in data.split(b"\n")[:-1]:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict):
                        out.append(entry)
        return out

    def wait_log(self, wanted, start=0, timeout=TIMEOUT):
        """The first entry from number `start` on for which `wanted` is true."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for entry in self.log()[start:]:
                if wanted(entry):
                    return entry
            time.sleep(0.02)
        raise AssertionError(f"no such log line; the log:\n{self.stderr()[-4000:]}")

    # -- connections --------------------------------------------------------
    def connect(self, how="plain", **kw):
        """`how`: plain, starttls, tls, deflate or tls-deflate.  Reads the greeting."""
        return Conn(self.ports["imaps" if how.startswith("tls") else "imap"], how, **kw)

    def session(self, user, how="plain", password=None, **kw):
        """A connection on which `user` is logged in: with the user's own
        password when it is given, otherwise by the administrator."""
        c = self.connect(how, **kw)
        c.login(user, password)
        return c


class Reply:
    """What a command got: `untagged` (a list of whole responses without their
    last CRLF), `tagged`, and its condition, code and text."""

    def __init__(self, untagged, tagged):
        self.untagged, self.tagged = untagged, tagged
        m = re.match(rb"(\S+) (\S+) ?(?:\[([^\]]*)\] ?)?(.*)", tagged, re.S)
        self.tag, self.status = m[1].decode(), m[2].decode()
        self.code = m[3].decode(errors="replace") if m[3] is not None else None
        self.text = m[4].decode(errors="replace")

    def ok(self):
        assert self.status == "OK", self
        return self

    def no(self, code=None):
        assert self.status == "NO", self
        assert code is None or (self.code or "").split(" ")[0] == code, self
        return self

    def bad(self):
        assert self.status == "BAD", self
        return self

    def find(self, pattern):
        """All matches of the bytes pattern at the start of untagged responses."""
        found = (re.match(pattern, u, re.S | re.I) for u in self.untagged)
        return [m for m in found if m]

    def one(self, pattern):
        got = self.find(pattern)
        assert len(got) == 1, (pattern, self)
        return got[0]

    def __repr__(self):
        return "\n".join(r.decode(errors="backslashreplace")
                         for r in (*self.untagged, self.tagged))


class Conn:
    """`how`: plain, starttls, tls; with deflate, login() goes on to COMPRESS.  Times out
    after `timeout` seconds."""

    def __init__(self, port, how="plain", host="127.0.0.1", timeout=TIMEOUT,
                 greet=True, context=None):
        self.rx = bytearray()
        self.pos = 0
        self.tags = 0
        self.how = how
        self.timeout = timeout
        self.eof = False
        self.layer = Wire()
        if isinstance(port, pathlib.Path):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(str(port))
        else:
            self.sock = socket.create_connection((host, port), timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if how.startswith("tls"):
            self.wrap(context)
        self.greeting = self.response() if greet else None
        if how == "starttls":
            self.starttls(context)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def wrap(self, context=None):
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")

    def starttls(self, context=None):
        r = self.cmd("STARTTLS")
        r.ok()
        assert self.pos == len(self.rx), "bytes behind the OK of STARTTLS"
        self.wrap(context)
        return r

    # -- bytes --------------------------------------------------------------
    def send(self, data):
        self.sock.sendall(self.layer.encode(b(data)))

    def fill(self, timeout=None):
        """Waits for more bytes; False at the end of the stream."""
        self.sock.settimeout(self.timeout if timeout is None else timeout)
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.eof = True
            return False
        self.rx += self.layer.decode(data)
        return True

    def compress(self):
        return self.cmd("COMPRESS DEFLATE", tag="zip").ok()

    def take(self, n):
        while len(self.rx) - self.pos < n:
            if not self.fill():
                raise EOFError(bytes(self.rx[self.pos:]))
        self.pos += n
        return bytes(self.rx[self.pos - n:self.pos])

    def line(self):
        """One line with its CRLF."""
        start = self.pos
        while True:
            end = self.rx.find(b"\n", start)
            if end >= 0:
                out = bytes(self.rx[self.pos:end + 1])
                assert out.endswith(b"\r\n"), f"bare LF: {out!r}"
                self.pos = end + 1
                return out
            start = len(self.rx)
            try:
                more = self.fill()
            except (TimeoutError, socket.timeout):
                raise TimeoutError(f"timeout; got {bytes(self.rx[-2000:])!r}")
            if not more:
                raise EOFError(bytes(self.rx[self.pos:]))

    def response(self):
        """One response, over its literals to the last CRLF, which is cut off."""
        out = b""
        while True:
            out += self.line()
            m = LITERAL_END.search(out)
            if not m or out.startswith(b"+"):
                return out[:-2]
            assert b"+}" not in m[0], f"literal+ from the server: {out!r}"
            out += self.take(int(m[1]))

    def quiet(self, seconds=0.3):
        """Asserts that nothing arrives for so long."""
        assert self.pos == len(self.rx), bytes(self.rx[self.pos:])
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.fill(left)
            except (TimeoutError, socket.timeout):
                return
            assert self.pos == len(self.rx), bytes(self.rx[self.pos:])
            assert not self.eof, "closed"

    def expect_eof(self):
        """Reads to the end; returns what came before it."""
        while not self.eof:
            self.fill()
        out = bytes(self.rx[self.pos:])
        self.pos = len(self.rx)
        return out

    def expect_bye(self):
        """Untagged responses, the last of them BYE, then the end."""
        rest = self.expect_eof()
        lines = rest.split(b"\r\n")
        assert lines[-1] == b"" and len(lines) > 1 and \
            lines[-2].startswith(b"* BYE"), rest
        return rest

    # -- commands -----------------------------------------------------------
    def tag(self):
        self.tags += 1
        return f"t{self.tags}"

    def start(self, command, *literals, sync=None, tag=None):
        """Sends a command and returns its tag.  Each `{}` in `command` stands
        for one of `literals`: {n+} after login, {n} with waiting before it."""
        tag = tag or self.tag()
        parts = (b(tag) + b" " + b(command)).split(b"{}")
        assert len(parts) == len(literals) + 1
        if sync is None:
            sync = not getattr(self, "user", None)
        out = parts[0]
        for data, rest in zip(literals, parts[1:]):
            data = b(data)
            out += b"{%d%s}\r\n" % (len(data), b"" if sync else b"+")
            if sync:
                self.send(out)
                out = b""
                r = self.response()
                if not r.startswith(b"+"):
                    self.refused = r
                    return tag
            out += data + rest
        self.send(out + b"\r\n")
        return tag

    def finish(self, tag):
        """Reads up to the tagged response of `tag`."""
        untagged = []
        while True:
            if getattr(self, "refused", None):
                r, self.refused = self.refused, None
            else:
                try:
                    r = self.response()
                except EOFError as e:
                    raise EOFError(b"\n".join(untagged), *e.args)
            if r.startswith(b(tag) + b" "):
                return Reply(untagged, r)
            assert r.startswith((b"* ", b"+")), (tag, r, untagged)
            untagged.append(r)

    def cmd(self, command, *literals, **kw):
        return self.finish(self.start(command, *literals, **kw))

    def ok(self, command, *literals, **kw):
        return self.cmd(command, *literals, **kw).ok()

    def no(self, command, *literals, code=None, **kw):
        return self.cmd(command, *literals, **kw).no(code)

    def bad(self, command, *literals, **kw):
        return self.cmd(command, *literals, **kw).bad()

    def authenticate(self, authzid, authcid=ADMIN, password=ADMIN_PW):
        r = self.cmd("AUTHENTICATE PLAIN " + plain(authzid, authcid, password))
        self.user = authzid or authcid if r.status == "OK" else None
        return r

    def login(self, user, password=None):
        """L(user) of the state table; with a password as the user itself."""
        if password is None:
            r = self.authenticate(user)
        else:
            r = self.authenticate("", user, password)
        r.ok()
        if self.how.endswith("deflate"):
            self.compress()
        return r

    def unauthenticate(self):
        r = self.ok("UNAUTHENTICATE")
        self.user = None
        assert not r.untagged, r      # U6, and nothing of the old user
        return r

    def append(self, mailbox, message, flags="", date=""):
        words = ["APPEND", mailbox, flags, f'"{date}"' if date else "", "{}"]
        return self.ok(" ".join(w for w in words if w), message)

    def select(self, mailbox="INBOX", examine=False):
        r = self.ok(("EXAMINE " if examine else "SELECT ") + mailbox)
        r.exists = int(r.one(rb"\* (\d+) EXISTS$")[1])
        return r

    def capability(self):
        return self.ok("CAPABILITY").one(rb"\* CAPABILITY (.*)")[1].decode().split()

    def logout(self):
        r = self.ok("LOGOUT")
        r.one(rb"\* BYE\b")
        self.expect_eof()
        self.close()
        return r


def wait_until(check, timeout=TIMEOUT, what="condition"):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        got = check()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout} s: {what}")


def readable(conn, seconds):
    """Whether bytes arrive within so many seconds."""
    if conn.pos < len(conn.rx):
        return True
    if isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending():
        return True
    return bool(select.select([conn.sock], [], [], seconds)[0])
