"""Runs *.imap transcripts, each on a fresh and on a used connection.

    transcript.py [-v] [--how plain,tls,starttls] [FILE...]

A transcript is a dialogue.  The first column says who speaks:

    # text        a comment; the RFC section that the next lines prove
    @user NAME    who is logged in at the start: `fresh` (default: an account that
                  nobody used before) or `none` (not authenticated state)
    @how LIST     transports (default: plain tls deflate; deflate: COMPRESS behind login)
    @mail BOX (FLAGS) "DATE" SAMPLE   puts mail/SAMPLE.eml there beforehand
    @select BOX EXISTS [RECENT [UIDNEXT]]   (and @examine) selects, checks all that a
                  rev1 client is told, takes down ${v_BOX}; default: all recent
    C: line       the client sends a line
    C& line       the same, but together with the next line in one write
    C+ rest       the rest of a command behind its literal
    S: response   the server must answer this (match.py says what is compared)
    S? response   it may
    S{ ... S}     these in any order
    S+ rest       the rest of a response behind its literal
    |text         a line of a literal; `\\` at its end: no CRLF; \\xNN, \\r, \\n, \\\\
    |@SAMPLE      the bytes of mail/SAMPLE.eml
    W: command    a second connection of the same user does this, and gets OK
    V: response   and that brought this untagged response
    Q: seconds    nothing comes for so long
    E:            the server closes the connection

`{}` and `{+}` at the end of a line stand for a literal whose text follows; the
count is filled in and a continuation awaited.  `{N}` is sent as it is written.
`${user}`, `${plain:AUTHZID:AUTHCID:PASSWORD}`, `${sp}` (a space) and captured names
are replaced.

Every transcript runs twice on its own accounts: on a fresh connection, and on one
that others had before, one after another: prelude.imap, and files of dirty/, each of
which turns on all that one extension can leave behind; each ends with UNAUTHENTICATE
(RFC 8437).  The bytes from the server must be the same, but for UIDVALIDITY, dates of
today and the name of the user.
"""

import argparse
import contextlib
import datetime
import pathlib
import re
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import ADMIN, ADMIN_PW, USER_PW, Site, b, eml, plain  # noqa: E402
from match import Matcher, Mismatch                                # noqa: E402
from settings import PATIENT                                       # noqa: E402

HERE = pathlib.Path(__file__).parent
LINE = re.compile(r"(C:|C&|C\+|S:|S\?|S\+|S\{|S\}|W:|V:|Q:|E:)(?: (.*))?$")
OPEN = re.compile(rb"(~?)\{(\d*)(\+?)\}$")


class Failed(AssertionError):
    pass


class Step:
    """`parts`: text, literal, text, literal, ... text."""

    def __init__(self, kind, text, line):
        self.kind, self.line, self.parts = kind, line, [text.encode()]

    def show(self):
        return f"{self.kind} " + "|".join(
            p.decode(errors="backslashreplace")[:300] for p in self.parts)


def bar(text):
    """One `|` line of a literal as bytes."""
    if text.startswith("@"):
        return eml(text[1:])
    end = "\r\n"
    if re.search(r"(?<!\\)(\\\\)*\\$", text):
        text, end = text[:-1], ""
    out = re.sub(rb"\\(x[0-9A-Fa-f]{2}|[rnt\\])", lambda m: {
        b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\",
    }.get(m[1]) or bytes([int(m[1][1:], 16)]), text.encode())
    return out + end.encode()


class Transcript:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.names_ids = "MAILBOXID" in self.path.read_text()
        self.names_mechanisms = "URLMECH" in self.path.read_text()
        self.user, self.how, self.mail, self.steps = "fresh", None, [], []
        for number, line in enumerate(self.path.read_text().split("\n"), 1):
            with self.at(number):
                self.parse(line, number)
        if not self.how:
            self.how = ["plain", "tls"] + (["deflate"] if self.user != "none" else [])

    @contextlib.contextmanager
    def at(self, line):
        try:
            yield
        except (AssertionError, Mismatch, EOFError, TimeoutError, OSError,
                ValueError, KeyError, IndexError) as e:
            raise Failed(f"{self.path.name}:{line}: {e!r}"
                         if not isinstance(e, Failed) else str(e)) from e

    def parse(self, line, number):
        if not line or line.startswith("#"):
            return
        if line.startswith("@"):
            word, _, rest = line[1:].partition(" ")
            if word == "user":
                self.user = rest
            elif word == "how":
                self.how = rest.split()
            elif word == "mail":
                m = re.fullmatch(r'(\S+)(?: (\([^)]*\)))?(?: ("[^"]*"))? (\S+)', rest)
                self.mail.append(m.groups())
            elif word in ("select", "examine"):
                self.select(word.upper(), number, *rest.split())
            else:
                raise ValueError(line)
            return
        if line.startswith("|"):
            parts = self.steps[-1].parts
            if len(parts) % 2:
                parts.append(b"")
            parts[-1] += bar(line[1:])
            return
        m = LINE.fullmatch(line)
        if not m:
            raise ValueError(f"cannot read {line!r}")
        kind, text = m[1], m[2] or ""
        if kind in ("C+", "S+"):
            self.steps[-1].parts.append(text.encode())
        else:
            self.steps.append(Step(kind, text, number))


    def select(self, command, number, box, exists, recent=None, uidnext=None):
        tag = f"sel{number}"
        code = "READ-WRITE" if command == "SELECT" else "READ-ONLY"
        for line in (f"C: {tag} {command} {box}", "S{", "S? * OK [CLOSED] ...",
                     r"S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft ...)",
                     "S: * OK [PERMANENTFLAGS (...)] ...",
                     f"S: * {exists} EXISTS", f"S: * {recent or exists} RECENT",
                     "S? * OK [UNSEEN ${any_%d}] ..." % number,
                     "S: * OK [UIDVALIDITY ${v_%s}] ..." % box,
                     f"S: * OK [UIDNEXT {uidnext or int(exists) + 1}] ...",
                     "S? * OK [MAILBOXID (${id_%d})] ..." % number,
                     "S? * OK [URLMECH INTERNAL] ...",
                     "S? * LIST ...", "S}", f"S: {tag} OK [{code}] ..."):
            self.parse(line, number)


def literals(parts):
    """Fills in the counts of {} and {+}: [(bytes, wait for + behind it)]."""
    out = []
    for i, part in enumerate(parts):
        m = OPEN.search(part)
        if i % 2 == 0 and i + 1 < len(parts):
            assert m, f"no literal announced in {part!r}"
            count = m[2] or b"%d" % len(parts[i + 1])
            out.append((part[:m.start()] + m[1] + b"{" + count + m[3] + b"}\r\n",
                        not m[3]))
        elif i % 2 == 0:
            out.append((part + b"\r\n", False))
        else:
            out.append((part, False))
    if len(parts) % 2 == 0:
        out.append((b"\r\n", False))
    return out


class Player:
    """Plays one transcript on one connection."""

    def __init__(self, script, conn, site, user, verbose=False):
        self.script, self.conn, self.site, self.user = script, conn, site, user
        self.match = Matcher()
        self.match.vars["user"] = b(user)
        self.witness = self.heard = None
        self.held = b""
        self.verbose = verbose
        self.peeked = None

    def fill_in(self, data):
        def value(m):
            word = m[1].decode()
            if word.startswith("plain:"):
                return plain(*(self.named(p) for p in word.split(":")[1:])).encode()
            return b(self.named(word, strict=True))
        return re.sub(rb"\$\{([^}]+)\}", value, data)

    def named(self, word, strict=False):
        known = {"admin": ADMIN, "adminpw": ADMIN_PW, "userpw": USER_PW, "sp": " "}
        if word in known:
            return known[word]
        if word in self.match.vars or strict:
            return self.match.vars[word]
        return word

    def play(self, leave=False):
        """`leave`: ends with UNAUTHENTICATE, whatever is selected or turned on."""
        steps = self.script.steps
        i = 0
        while i < len(steps):
            step = steps[i]
            with self.script.at(step.line):
                if step.kind in ("S:", "S?"):
                    i = self.expect_line(steps, i)
                elif step.kind == "S{":
                    i = self.expect_group(steps, i)
                else:
                    self.other(step)
                    i += 1
        if not self.conn.eof:
            with self.script.at("end"):
                self.end(leave)
        if self.witness:
            self.witness.close()

    def end(self, leave):
        self.conn.send("zzz UNAUTHENTICATE\r\n" if leave else "zzz NOOP\r\n")
        r = self.next()
        while leave and r.startswith(b"* ") and not r.startswith(b"* BYE"):
            r = self.next()
        if not r.startswith(b"zzz OK"):
            raise Mismatch(f"left over: {r!r}")

    def other(self, step):
        if step.kind in ("C:", "C&"):
            self.client(step)
        elif step.kind == "W:":
            self.second(step)
        elif step.kind == "V:":
            self.verify(step)
        elif step.kind == "Q:":
            self.conn.quiet(float(step.parts[0]))
        elif step.kind == "E:":
            rest = self.conn.expect_eof()
            if rest:
                raise Mismatch(f"before the end came {rest!r}")
        else:
            raise ValueError(step.kind)

    def client(self, step):
        parts = [self.fill_in(p) if i % 2 == 0 else p for i, p in enumerate(step.parts)]
        for data, wait in literals(parts):
            self.held += data
            if wait:
                self.flush()
                r = self.next()
                if not r.startswith(b"+ "):
                    raise Mismatch(f"wanted a continuation, got {r!r}")
        if step.kind == "C:":
            self.flush()

    def flush(self):
        if self.verbose:
            print("  C", self.held)
        self.conn.send(self.held)
        self.held = b""

    def next(self):
        if self.peeked is not None:
            r, self.peeked = self.peeked, None
            return r
        r = self.conn.response()
        while (r.startswith(b"* OK [MAILBOXID") and not self.script.names_ids
               or r.startswith(b"* OK [URLMECH") and not self.script.names_mechanisms):
            r = self.conn.response()
        if self.verbose:
            print("  S", r[:500])
        return r

    def pattern(self, step):
        whole = b"".join(data for data, _ in literals(step.parts))
        return whole[:-2].replace(b"${sp}", b" ")

    def expect_line(self, steps, i):
        r = self.next()
        why = []
        while i < len(steps) and steps[i].kind in ("S:", "S?"):
            try:
                self.match(self.pattern(steps[i]), r)
                return i + 1
            except Mismatch as e:
                why.append(f"{steps[i].show()}: {e}")
                if steps[i].kind == "S:":
                    raise Mismatch(f"got {r[:2000]!r}\n  " + "\n  ".join(why))
            i += 1
        self.peeked = r
        return i

    def expect_group(self, steps, i):
        end = next(k for k in range(i, len(steps)) if steps[k].kind == "S}")
        want = steps[i + 1:end]
        while any(s.kind == "S:" for s in want):
            r = self.next()
            why = []
            for s in want:
                try:
                    self.match(self.pattern(s), r)
                    break
                except Mismatch as e:
                    why.append(f"{s.show()}: {e}")
            else:
                raise Mismatch(f"got {r[:2000]!r}\n  " + "\n  ".join(why))
            want.remove(s)
        # what is left may come: the line behind the group decides
        rest = [s for s in want if s.kind == "S?"]
        while rest:
            r = self.next()
            for s in rest:
                with contextlib.suppress(Mismatch):
                    self.match(self.pattern(s), r)
                    break
            else:
                self.peeked = r
                break
            rest.remove(s)
        return end + 1

    def second(self, step):
        if self.witness is None:
            self.witness = self.site.session(self.user)
        parts = [self.fill_in(p) if i % 2 == 0 else p for i, p in enumerate(step.parts)]
        command = b"".join((re.sub(rb"~?\{\+?\}$", b"{}", p) if i + 1 < len(parts) else p)
                           if i % 2 == 0 else b"" for i, p in enumerate(parts))
        tilde = b"~{}" if b"~{" in parts[0] else b"{}"
        command = command.replace(b"{}", tilde)
        self.heard = self.witness.cmd(command, *parts[1::2])
        if self.heard.status != "OK":
            raise Mismatch(f"the witness got {self.heard!r}")

    def verify(self, step):
        why = []
        for r in self.heard.untagged:
            try:
                return self.match(self.pattern(step), r)
            except Mismatch as e:
                why.append(str(e))
        raise Mismatch(f"the witness has no such response: {self.heard!r} {why}")


def prepare(script, site, user):
    """The account's mail, by a connection of its own."""
    if not script.mail:
        return
    with site.session(user) as c:
        tags, made = [], {"INBOX"}
        for box, flags, date, sample in script.mail:
            if box not in made:
                made.add(box)
                tags.append(c.start(f"CREATE {box}"))
            words = ["APPEND", box, flags or "", date or "", "{}"]
            tags.append(c.start(" ".join(w for w in words if w), eml(sample)))
        for t in tags:
            c.finish(t).ok()
        c.logout()      # its session has ended when the next one begins


def normalise(data, user):
    """What may differ between two runs of the same script."""
    data = data.replace(b(user), b"USER")
    data = re.sub(rb"(UIDVALIDITY|APPENDUID|COPYUID) \d+", rb"\1 N", data)
    data = re.sub(rb"(MAILBOXID|EMAILID|THREADID) \([FMT][0-9a-f]+\)", rb"\1 (ID)", data)
    data = re.sub(rb"(:INTERNAL:)[0-9a-f]{66}", rb"\1TOKEN", data)
    data = re.sub(rb'SAVEDATE "[^"]*"', b'SAVEDATE "NOW"', data)
    year = datetime.datetime.now().year
    return re.sub(rb'INTERNALDATE "[ \d]\d-\w{3}-(%d|%d) [^"]*"' % (year, year + 1),
                  b'INTERNALDATE "TODAY"', data)


def begin(script, conn, user):
    conn.tags = 0
    if script.user != "none":
        conn.login(user)


def play(script, site, how, conn=None, verbose=False):
    """Plays `script`; returns the normalised bytes from the login on."""
    user = site.new_user()
    prepare(script, site, user)
    conn = conn or site.connect(how)
    try:
        mark = conn.pos
        begin(script, conn, user)
        Player(script, conn, site, user, verbose).play()
        return normalise(bytes(conn.rx[mark:]), user)
    finally:
        conn.close()


def dirt():
    return sorted((HERE / "dirty").glob("*.imap"))


def dirt_for(path, how, most=3):
    """Those of the same extension, and a few others: each meets many transcripts."""
    word = path.stem.split("_")[0]
    own = [d for d in dirt() if d.stem.split("_")[0] == word]
    others = [d for d in dirt() if d not in own]
    start = zlib.crc32(f"{path.stem}/{how}".encode())
    return own + [others[(start + i) % len(others)] for i in range(min(most, len(others)))]


def used(site, how, dirty=()):
    """A connection on which other users did everything, back at its start."""
    conn = site.connect(how)
    for script in [Transcript(path) for path in (*dirty, HERE / "prelude.imap")]:
        if how not in script.how:
            continue
        user = site.new_user()
        prepare(script, site, user)
        begin(script, conn, user)
        Player(script, conn, site, user).play(leave=script.path.parent.name == "dirty")
    conn.user = None
    return conn


def check(path, site, how, verbose=False):
    """Both runs of one transcript over one transport."""
    script = Transcript(path)
    fresh = play(script, site, how, verbose=verbose)
    again = play(script, site, how, used(site, how, dirt_for(script.path, how)))
    if fresh != again:
        raise Failed(f"{script.path.name}: fresh and used differ over {how}\n"
                     + difference(fresh, again))


def difference(fresh, again):
    a, c = fresh.split(b"\r\n"), again.split(b"\r\n")
    for i in range(max(len(a), len(c))):
        if a[i:i + 1] != c[i:i + 1]:
            return (f"  line {i + 1}\n  fresh: {a[i:i + 3]!r}\n"
                    f"  used:  {c[i:i + 3]!r}")
    return "  in line ends"


def transcripts():
    return sorted(p for p in HERE.glob("*.imap") if p.name != "prelude.imap")


def main():
    p = argparse.ArgumentParser(description="run transcripts")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--how", default="")
    p.add_argument("files", nargs="*", type=pathlib.Path)
    args = p.parse_args()
    failed = 0
    with Site(pool=300, configure=PATIENT) as site:
        for path in args.files or transcripts():
            for how in Transcript(path).how:
                if args.how and how not in args.how.split(","):
                    continue
                try:
                    check(path, site, how, args.verbose)
                except AssertionError as e:
                    failed += 1
                    print(f"not ok {path.name} {how}\n{e}")
                else:
                    print(f"ok {path.name} {how}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
