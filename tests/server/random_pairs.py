"""Random scripts on fresh and on used connections: the bytes must be the same.

    random_pairs.py [--pairs 2000] [--seed N] [--jobs 8] [--tls] [--only PAIR]

A pair is a prelude and a script, both made at random from commands over all features
and extensions (draws/*.py), right and wrong.  The script runs for a new account on a
fresh connection, and for another new account on a connection on which somebody else ran
the prelude and then UNAUTHENTICATE (RFC 8437).  Two other sessions change the same
mailboxes meanwhile: between two commands, while a command waits for its literal, inside
IDLE.  What comes back, to them too, must be equal byte for byte, but for UIDVALIDITY and
dates of today.  When it is not, the pair is made as small as possible and printed with
its seed; `--seed S --only N` runs that pair again.

NOTIFY tells by itself, so its bytes may come any time.  But a change is known to all
sessions before its own tagged reply is sent: behind each change of a witness the
connection does a NOOP, and what was to be told stands before its reply.
"""

import argparse
import contextlib
import importlib.util
import pathlib
import queue
import random
import sys
import threading
import time
import traceback

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from harness import ADMIN, ADMIN_PW, USER_PW, Site, b, eml, plain   # noqa: E402
from settings import PATIENT, both, gate, limit            # noqa: E402
from transcript import difference, normalise               # noqa: E402

BOXES = ["INBOX", "inbox", "a", "a/b", "b", '"two words"', "nothere", "R&-D", '""',
         "a//b", "INBOX/x", '"Entw&APw-rfe"', '"a/%"', "{+}lit"]
PATTERNS = ["*", "%", "a/%", "%/%", "INBOX", '"two*"', "x", '""', "*b", "a*"]
FLAGS = ["\\Seen", "\\Flagged", "\\Deleted", "\\Draft", "\\Answered", "$Work", "kw1",
         "KW1", "$Forwarded", "\\Recent", "\\Nonsense", "\\*"]
SAMPLES = ["plain", "reply", "multi", "qp", "latin1", "lang", "badcte"]
DATES = ['"17-Jul-1996 02:44:25 -0700"', '" 1-Jan-2000 00:00:00 +0000"',
         '"31-Dec-2010 23:59:59 +1400"']
SETS = ["1", "2", "1:2", "1:*", "*", "2:4", "1,3", "$", "$", "*:1", "9", "0", "4:2,1", "1:3,2",
        "x", "1:", "4294967295"]
ITEMS = ["FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE",
         "BODY[]", "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]<0.10>",
         "BODY[HEADER.FIELDS (Subject From)]", "BODY.PEEK[1]", "BODY[2]", "BODY.PEEK[3.1]",
         "BODY.PEEK[1.MIME]", "BINARY[1]", "BINARY.PEEK[2]", "BINARY.SIZE[1]", "RFC822",
         "RFC822.HEADER", "RFC822.TEXT", "BODY.PEEK[HEADER.FIELDS.NOT (Date)]", "PONIES",
         "BODY[MIME]", "BODY[]<5>"]
KEYS = ["ALL", "SEEN", "UNSEEN", "FLAGGED", "DELETED", "NEW", "OLD", "RECENT", "DRAFT",
        "KEYWORD $Work", "UNKEYWORD kw1", "FROM fred", "TO mooch", "SUBJECT meeting",
        "BODY elephants", "TEXT cafe", "SINCE 1-Jan-1999", "BEFORE 1-Jan-1999",
        "ON 17-Jul-1996", "SENTSINCE 1-Jan-2009", "LARGER 400", "SMALLER 400", "1:2", "$",
        "UID 1:3", "UID *", "HEADER Message-ID example", "CC klensin", "NOT SEEN",
        "OR SEEN FLAGGED", "(UNSEEN UNFLAGGED)", "PONIES", "OR SEEN", "99"]
STATUS = ["MESSAGES", "UIDNEXT", "UNSEEN", "RECENT", "SIZE", "DELETED", "UIDVALIDITY"]
ENABLE = ["IMAP4rev2", "X-NONE"]
SELECT_PARAMS = []
RETURNS = ["MIN", "MAX", "ALL", "COUNT", "SAVE", "SAVE"]


def draws():
    """What each extension adds (draws/*.py): items for the lists above, and its commands."""
    added = []
    for path in sorted((pathlib.Path(__file__).parent / "draws").glob("*.py")):
        spec = importlib.util.spec_from_file_location("draws_" + path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name in ("ITEMS", "KEYS", "STATUS", "ENABLE", "SELECT_PARAMS", "RETURNS"):
            more = getattr(module, name, [])
            assert all(isinstance(x, str) for x in more), f"{path.name}: {name}"
            globals()[name].extend(more)
        if hasattr(module, "commands"):
            added.append(module.commands)
    return added


EXTENSIONS = draws()


class Maker:
    """Makes commands; each is a step ("C", bytes), ("W", a witness's (who, bytes)),
    ("IDLE", line that ends it, what a witness does meanwhile or None) or
    ("SYNC", command, literal, what a witness does before the literal or None)."""

    def __init__(self, rng, is_notified=False):
        self.rng = rng
        self.is_notified = is_notified      # NOTIFY SET is drawn
        self.n = 0

    def tag(self):
        self.n += 1
        return b"t%d" % self.n

    def some(self, items, least=1, most=3):
        return [self.rng.choice(items) for _ in range(self.rng.randint(least, most))]

    def box(self):
        name = self.rng.choice(BOXES[:7] if self.rng.random() < .8 else BOXES)
        if name.startswith("{+}"):
            return b"{3+}\r\n" + name[3:].encode()
        return name.encode()

    def flags(self):
        pool = FLAGS[:9] if self.rng.random() < .9 else FLAGS
        return b"(" + " ".join(self.some(pool, 0, 3)).encode() + b")"

    def message(self, plus=b"+"):
        data = eml(self.rng.choice(SAMPLES))
        return b"{%d%s}\r\n" % (len(data), plus) + data

    def append(self):
        out = b"APPEND " + self.box()
        for _ in range(1 if self.rng.random() < .8 else 2):
            if self.rng.random() < .6:
                out += b" " + self.flags()
            if self.rng.random() < .8:
                out += b" " + self.rng.choice(DATES).encode()
            out += b" " + (self.message() if self.rng.random() < .97 else b"{0+}\r\n")
        return out

    def uid(self):
        return b"UID " if self.rng.random() < .4 else b""

    def set(self):
        return self.rng.choice(SETS[:9] if self.rng.random() < .8 else SETS).encode()

    def search(self):
        out = self.uid() + b"SEARCH "
        if self.rng.random() < .5:
            out += b"RETURN (" + " ".join(
                self.some(RETURNS, 0, 3)).encode() + b") "
        if self.rng.random() < .15:
            out += self.rng.choice([b"CHARSET UTF-8 ", b"CHARSET US-ASCII ", b"CHARSET X-NONE "])
        return out + " ".join(self.some(KEYS)).encode()

    def fetch(self):
        if self.rng.random() < .15:
            what = self.rng.choice([b"ALL", b"FAST", b"FULL"])
        else:
            what = b"(" + " ".join(self.some(ITEMS, 1, 4)).encode() + b")"
        return self.uid() + b"FETCH " + self.set() + b" " + what

    def store(self):
        return (self.uid() + b"STORE " + self.set() + b" "
                + self.rng.choice([b"", b"+", b"-"]) + b"FLAGS"
                + self.rng.choice([b"", b"", b".SILENT"]) + b" " + self.flags())

    def list(self):
        rng = self.rng
        if rng.random() < .4:
            return (rng.choice([b"LIST ", b"LSUB "]) + rng.choice([b'"" ', b"a/ "])
                    + rng.choice(PATTERNS).encode())
        select = " ".join(self.some(["SUBSCRIBED", "REMOTE", "SPECIAL-USE",
                                     "SUBSCRIBED RECURSIVEMATCH"], 0, 2))
        give = self.some(["CHILDREN", "SUBSCRIBED", "SPECIAL-USE",
                          "STATUS (MESSAGES UNSEEN)"] * 5 + ["PONIES"], 0, 2)
        return (f'LIST ({select}) "" ({" ".join(self.some(PATTERNS))}) '
                f'RETURN ({" ".join(give)})').encode()

    def words(self):
        rng = self.rng
        return rng.choice([
            lambda: b"NOOP", lambda: b"CAPABILITY", lambda: b"NAMESPACE", lambda: b"CHECK",
            lambda: b'ID ("name" "x" "n" NIL)', lambda: b"ID NIL",
            lambda: b"ENABLE " + " ".join(self.some(ENABLE, 1, 2)).encode(),
            lambda: self.select(),
            lambda: b"CREATE " + self.box()
            + rng.choice([b"", b"", b" (USE (\\Sent))", b" (USE (\\Trash \\Junk))"]),
            lambda: b"DELETE " + self.box(),
            lambda: b"RENAME " + self.box() + b" " + self.box(),
            lambda: rng.choice([b"SUBSCRIBE ", b"UNSUBSCRIBE "]) + self.box(),
            lambda: b"STATUS " + self.box() + b" ("
            + " ".join(self.some(STATUS, 1, 4)).encode() + b")",
            lambda: rng.choice([b"CLOSE", b"UNSELECT", b"EXPUNGE", b"EXPUNGE"]),
            lambda: b"UID EXPUNGE " + self.set(),
        ])()

    def select(self):
        out = self.rng.choice([b"SELECT ", b"EXAMINE "]) + self.box()
        if SELECT_PARAMS and self.rng.random() < .3:
            out += b" (" + " ".join(self.some(SELECT_PARAMS, 1, 2)).encode() + b")"
        return out

    def extension(self):
        """A command of an extension, each extension as often as the others."""
        if not EXTENSIONS:
            return b"NOOP"
        return self.rng.choice(self.rng.choice(EXTENSIONS)(self))()

    def wrong(self):
        return self.rng.choice([
            b"PONIES", b"", b"SELECT", b"FETCH 1", b'SELECT "INBOX', b"NOOP x", b"STORE 1",
            b"UID PONIES 1", b"SEARCH (", b"LOGIN a b", b"STARTTLS", b"UNAUTHENTICATE x",
            b"AUTHENTICATE PLAIN AAAA", b"COPY 1", b"PONIES {3+}\r\nabc", b"\xff\xfe",
            b"FETCH 1 (FLAGS", b"LIST (PONIES) \"\" *", b"STATUS INBOX ()", b"IDLE x",
            b"APPEND INBOX {3+}\r\nabc rubbish", b"SELECT " + b"x" * 3000])

    def command(self):
        made = self.rng.choices(
            [self.words, self.list, self.fetch, self.store, self.search, self.append,
             self.copy, self.saved, self.wrong, self.extension],
            [9, 2, 5, 5, 5, 4, 3, 2, 1, 9])[0]()
        return made

    def copy(self):
        return (self.uid() + self.rng.choice([b"COPY ", b"COPY ", b"MOVE "]) + self.set()
                + b" " + self.box())

    def saved(self):
        return self.rng.choice([b"FETCH $ (UID FLAGS)", b"UID FETCH $ UID", b"SEARCH $",
                                b"UID SEARCH $", b"SEARCH NOT $",
                                b"SEARCH RETURN (SAVE) ALL", b"UID STORE $ +FLAGS (kw1)"])

    def witness(self):
        """(which of the two, command)"""
        rng = self.rng
        made = rng.choice([
            lambda: b"APPEND INBOX " + self.message(), lambda: b"APPEND a " + self.message(),
            lambda: b"UID STORE 1:3 +FLAGS (\\Flagged wkw)",
            lambda: b"UID STORE 2 +FLAGS (\\Deleted)", lambda: b"EXPUNGE",
            lambda: b"CREATE w/w", lambda: b"DELETE w/w",
            self.store, self.store, self.copy, self.append, self.words, self.extension])()
        return rng.choice([0, 0, 1]), made

    def meanwhile(self):
        return self.witness() if self.rng.random() < .4 else None

    def step(self):
        p = self.rng.random()
        if p < .03:
            return ("IDLE", self.rng.choice([b"DONE", b"DONE", b"done", b"PONIES", b"x NOOP"]),
                    self.meanwhile())
        if p < .06:
            return ("SYNC", b"APPEND " + self.box() + b" "
                    + self.rng.choice(DATES).encode(), eml(self.rng.choice(SAMPLES)),
                    self.meanwhile())
        if p < .07:
            return ("SYNC", b"SELECT", b"a", self.meanwhile())
        if p < .2:
            return ("W", self.witness())
        return ("C", self.command())

    def script(self, least, most):
        start = [("C", b'APPEND INBOX "17-Jul-1996 02:44:25 -0700" ' + self.message()),
                 ("C", b'APPEND INBOX (\\Seen) " 1-Jan-2000 00:00:00 +0000" ' + self.message()),
                 ("C", b"CREATE a"), ("C", b"SELECT INBOX")]
        keep = [s for s in start if self.rng.random() < .85]
        return keep + [self.step() for _ in range(self.rng.randint(least, most))]


class Runner:
    """Runs the steps of one user on one connection, and of his witnesses on others."""

    def __init__(self, site, conn, user, is_notified=False):
        self.site, self.conn, self.user = site, conn, user
        self.is_notified = is_notified
        self.witnesses = [None, None]
        self.serial = 0

    def run(self, steps):
        """Returns what the witnesses were told."""
        burst, tags = b"", []
        try:
            for step in steps:
                if step[0] == "C":
                    self.serial += 1
                    tags.append(b"t%d" % self.serial)
                    burst += tags[-1] + b" " + self.own(step[1]) + b"\r\n"
                    continue
                self.flush(burst, tags)
                burst, tags = b"", []
                getattr(self, "do_" + step[0].lower())(*step[1:])
            self.flush(burst, tags)
            return [bytes(w.rx) for w in self.witnesses if w]
        finally:
            for w in self.witnesses:
                if w:
                    w.close()

    def own(self, command):
        return command.replace(b"$USER", b(self.user))

    def flush(self, burst, tags):
        """Sends the burst and a NOOP, whose answer ends all others."""
        self.serial += 1
        end = b"e%d" % self.serial
        self.conn.send(burst + end + b" NOOP\r\n")
        while not self.conn.response().startswith(end + b" "):
            pass

    def do_idle(self, line, meanwhile):
        self.serial += 1
        tag = b"t%d " % self.serial
        self.conn.send(tag + b"IDLE\r\n")
        while not (r := self.conn.response()).startswith((b"+", tag)):
            pass
        if r.startswith(b"+"):
            self.act(meanwhile)
            self.conn.send(line + b"\r\n")
            while not self.conn.response().startswith(tag):
                pass

    def do_sync(self, command, literal, meanwhile):
        self.serial += 1
        tag = b"t%d " % self.serial
        self.conn.send(tag + command + b" {%d}\r\n" % len(literal))
        while not (r := self.conn.response()).startswith((b"+", tag)):
            pass
        if r.startswith(b"+"):
            self.act(meanwhile)
            self.conn.send(literal + b"\r\n")
            while not self.conn.response().startswith(tag):
                pass

    def do_w(self, what):
        self.act(what)
        if self.is_notified:
            self.flush(b"", [])

    def act(self, what):
        if what is None:
            return
        who, command = what
        if self.witnesses[who] is None:
            self.witnesses[who] = self.site.session(self.user)
            if who == 0:
                self.witnesses[who].cmd("SELECT INBOX")
        w = self.witnesses[who]
        w.send(b"w " + self.own(command) + b"\r\n")
        while not w.response().startswith(b"w "):
            pass


class Pair:
    def __init__(self, seed, number):
        rng = random.Random(f"{seed}/{number}")
        self.is_notified = rng.random() < .25
        maker = Maker(rng, self.is_notified)
        self.number = number
        self.prelude = maker.script(5, 25)
        self.script = maker.script(5, 25)
        self.how = rng.choice(["plain"] * 5 + ["tls", "deflate", "tls-deflate"])
        self.own = rng.random() < .01       # the script's user logs in himself
        self.is_narrow = rng.random() < .15 # where little is allowed

    def with_steps(self, prelude, script):
        out = object.__new__(Pair)
        out.__dict__.update(self.__dict__, prelude=prelude, script=script)
        return out

    def differs(self, sites):
        """None, or what is different."""
        site = sites[self.is_narrow]
        make = site.new_own_user if self.own else site.new_user
        one, two, other = make(), make(), site.new_user()
        try:
            a = self.transcript(site, one, None)
            c = self.transcript(site, two, other)
        except (EOFError, OSError, AssertionError) as e:
            return f"{type(e).__name__}: {e}"
        return None if a == c else difference(a, c)

    def transcript(self, site, user, other):
        conn = site.connect(self.how)
        try:
            if other:
                conn.login(other)
                Runner(site, conn, other, self.is_notified).run(self.prelude)
                r = conn.cmd("UNAUTHENTICATE")
                assert r.status == "OK" and not r.untagged, r
            mark = conn.pos
            who = plain("", user, USER_PW) if self.own else plain(user, ADMIN, ADMIN_PW)
            conn.ok("AUTHENTICATE PLAIN " + who, tag="login")
            if self.how.endswith("deflate"):
                conn.compress()
            told = Runner(site, conn, user, self.is_notified).run(self.script)
            assert conn.pos == len(conn.rx), bytes(conn.rx[conn.pos:])
            told = [bytes(conn.rx[mark:]), *told]
            return normalise(b"\r\n--- a witness:\r\n".join(told), user)
        finally:
            conn.close()

    def minimise(self, sites, tries=300):
        """Leaves out steps as long as it still differs."""
        best = self
        for part in ("prelude", "script"):
            size = max(1, len(getattr(best, part)) // 2)
            while size and tries:
                steps, i, shorter = getattr(best, part), 0, False
                while i < len(steps) and tries:
                    tries -= 1
                    less = steps[:i] + steps[i + size:]
                    candidate = best.with_steps(
                        **{"prelude": best.prelude, "script": best.script, part: less})
                    if candidate.differs(sites):
                        best, steps, shorter = candidate, less, True
                    else:
                        i += size
                size = size if shorter and size == 1 else size // 2
        return best

    @staticmethod
    def line(x):
        who, x = (f"[{x[0]}] ", x[1]) if isinstance(x, tuple) else ("", x)
        return who + b(x).decode(errors="backslashreplace")[:300]

    def show(self):
        def lines(steps):
            return "\n".join(f"    {s[0]}: " + " / ".join(
                self.line(x) for x in s[1:] if x is not None) for s in steps)
        by = (", logged in by himself" if self.own else "") + (
            ", where little is allowed" if self.is_narrow else "")
        return f"  over {self.how}{by}\n  prelude:\n{lines(self.prelude)}\n  script:\n{lines(self.script)}"


def examine(pair, seed, sites):
    """None, or the text of a failure."""
    first = pair.differs(sites)
    if not first:
        return None
    small = pair.minimise(sites)
    why = small.differs(sites) or f"(it does not always differ)\n{first}"
    return f"--seed {seed} --only {pair.number}\n{small.show()}\n{why}"


def compare(pairs, seed, jobs, sites, only=None, most_failures=3):
    """Runs all pairs; returns the texts of the failures."""
    todo = queue.SimpleQueue()
    for n in [only] if only is not None else range(pairs):
        todo.put(n)
    failures = []

    def work():
        while len(failures) < most_failures:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            try:
                failure = examine(Pair(seed, number), seed, sites)
            except Exception:
                failure = f"--seed {seed} --only {number}\n{traceback.format_exc()}"
            if failure:
                failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return failures


class Users(Site):
    """Also makes accounts that can log in by themselves; hashes cost, so few at a time."""

    def new_own_user(self):
        with self.name_lock:
            if not hasattr(self, "own"):
                self.own, self.owns = [], 0
            if not self.own:
                self.own = [f"o{self.owns + i:06d}" for i in range(20)]
                self.owns += 20
                self.add_users(self.own, self.pw_file)
            return self.own.pop()


def little(text):
    """Limits that scripts run into."""
    for name, value in (("messages-per-command", 3), ("message-bytes", 1500),
                        ("messages", 12), ("mailboxes", 6)):
        text = limit(name, value)(text)
    return text


def make_sites(pairs):
    """One where all is allowed, and one where little is.  Of two sessions that are told of a
    message by themselves the first has it as recent: with one loop it is the same each time."""
    wide = both(PATIENT, gate("admin-only"), limit("loops", 1))
    return (Users(pool=3 * pairs + 20, configure=wide),
            Users(pool=pairs + 20, configure=both(wide, little)))


def main():
    p = argparse.ArgumentParser(description="random scripts, fresh against used")
    p.add_argument("--pairs", type=int, default=2000)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--jobs", type=int, default=8)
    p.add_argument("--only", type=int)
    args = p.parse_args()
    seed = args.seed if args.seed is not None else int(time.time())
    start = time.monotonic()
    pairs = 1 if args.only is not None else args.pairs
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(s) for s in make_sites(pairs)]
        failures = compare(args.pairs, seed, args.jobs, sites, args.only)
    for f in failures:
        print(f)
    print(f"{pairs} pairs, seed {seed}, {time.monotonic() - start:.1f} s, "
          f"{len(failures)} different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
