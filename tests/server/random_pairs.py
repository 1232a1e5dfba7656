"""Random scripts on fresh and on used connections: the bytes must be the same.

    random_pairs.py [--pairs 2000] [--seed N] [--jobs 8] [--tls] [--only PAIR]

A pair is a prelude and a script, both made at random from commands over all features,
right and wrong.  The script runs for a new account on a fresh connection, and for
another new account on a connection on which somebody else ran the prelude and then
UNAUTHENTICATE (RFC 8437).  What comes back must be equal byte for byte, but for
UIDVALIDITY and dates of today.  When it is not, the pair is made as small as
possible and printed with its seed; `--seed S --only N` runs that pair again.
"""

import argparse
import importlib.util
import pathlib
import queue
import random
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from harness import ADMIN, ADMIN_PW, USER_PW, Site, b, eml, plain   # noqa: E402
from settings import PATIENT, both, gate                   # noqa: E402
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
            globals()[name].extend(getattr(module, name, []))
        if hasattr(module, "commands"):
            added.append(module.commands)
    return added


EXTENSIONS = draws()


class Maker:
    """Makes commands; each is a step ("C", bytes), ("W", bytes of another session),
    ("IDLE", line that ends it) or ("SYNC", command, literal)."""

    def __init__(self, rng):
        self.rng = rng
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

    def step(self):
        p = self.rng.random()
        if p < .02:
            return ("IDLE", self.rng.choice([b"DONE", b"done", b"PONIES", b"x NOOP"]))
        if p < .05:
            return ("SYNC", b"APPEND " + self.box() + b" "
                    + self.rng.choice(DATES).encode(), eml(self.rng.choice(SAMPLES)))
        if p < .06:
            return ("SYNC", b"SELECT", b"a")
        if p < .16:
            return ("W", self.rng.choice([
                lambda: b"APPEND INBOX " + self.message(),
                lambda: b"UID STORE 1:3 +FLAGS (\\Flagged wkw)",
                lambda: b"UID STORE 2 +FLAGS (\\Deleted)",
                lambda: b"EXPUNGE", lambda: b"CREATE w/w", lambda: b"DELETE w/w",
                lambda: b"APPEND a " + self.message()])())
        return ("C", self.command())

    def script(self, least, most):
        start = [("C", b'APPEND INBOX "17-Jul-1996 02:44:25 -0700" ' + self.message()),
                 ("C", b'APPEND INBOX (\\Seen) " 1-Jan-2000 00:00:00 +0000" ' + self.message()),
                 ("C", b"CREATE a"), ("C", b"SELECT INBOX")]
        keep = [s for s in start if self.rng.random() < .85]
        return keep + [self.step() for _ in range(self.rng.randint(least, most))]


class Runner:
    """Runs the steps of one user on one connection."""

    def __init__(self, site, conn, user):
        self.site, self.conn, self.user = site, conn, user
        self.witness = None
        self.serial = 0

    def run(self, steps):
        burst, tags = b"", []
        for step in steps:
            if step[0] == "C":
                self.serial += 1
                tags.append(b"t%d" % self.serial)
                burst += tags[-1] + b" " + step[1] + b"\r\n"
                continue
            self.flush(burst, tags)
            burst, tags = b"", []
            getattr(self, "do_" + step[0].lower())(*step[1:])
        self.flush(burst, tags)
        if self.witness:
            self.witness.close()

    def flush(self, burst, tags):
        """Sends the burst and a NOOP, whose answer ends all others."""
        self.serial += 1
        end = b"e%d" % self.serial
        self.conn.send(burst + end + b" NOOP\r\n")
        while not self.conn.response().startswith(end + b" "):
            pass

    def do_idle(self, line):
        self.serial += 1
        tag = b"t%d " % self.serial
        self.conn.send(tag + b"IDLE\r\n")
        while not (r := self.conn.response()).startswith((b"+", tag)):
            pass
        if r.startswith(b"+"):
            self.conn.send(line + b"\r\n")
            while not self.conn.response().startswith(tag):
                pass

    def do_sync(self, command, literal):
        self.serial += 1
        tag = b"t%d " % self.serial
        self.conn.send(tag + command + b" {%d}\r\n" % len(literal))
        while not (r := self.conn.response()).startswith((b"+", tag)):
            pass
        if r.startswith(b"+"):
            self.conn.send(literal + b"\r\n")
            while not self.conn.response().startswith(tag):
                pass

    def do_w(self, command):
        if self.witness is None:
            self.witness = self.site.session(self.user)
            self.witness.cmd("SELECT INBOX")
        self.witness.send(b"w " + command + b"\r\n")
        self.witness.finish("w")


class Pair:
    def __init__(self, seed, number):
        rng = random.Random(f"{seed}/{number}")
        maker = Maker(rng)
        self.number = number
        self.prelude = maker.script(5, 25)
        self.script = maker.script(5, 25)
        self.how = rng.choice(["plain"] * 5 + ["tls", "deflate", "tls-deflate"])
        self.own = rng.random() < .01       # the script's user logs in himself

    def with_steps(self, prelude, script):
        out = object.__new__(Pair)
        out.__dict__.update(self.__dict__, prelude=prelude, script=script)
        return out

    def differs(self, site):
        """None, or what is different."""
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
                Runner(site, conn, other).run(self.prelude)
                r = conn.cmd("UNAUTHENTICATE")
                assert r.status == "OK" and not r.untagged, r
            mark = conn.pos
            who = plain("", user, USER_PW) if self.own else plain(user, ADMIN, ADMIN_PW)
            conn.ok("AUTHENTICATE PLAIN " + who, tag="login")
            if self.how.endswith("deflate"):
                conn.compress()
            Runner(site, conn, user).run(self.script)
            assert conn.pos == len(conn.rx), bytes(conn.rx[conn.pos:])
            return normalise(bytes(conn.rx[mark:]), user)
        finally:
            conn.close()

    def minimise(self, site, tries=300):
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
                    if candidate.differs(site):
                        best, steps, shorter = candidate, less, True
                    else:
                        i += size
                size = size if shorter and size == 1 else size // 2
        return best

    def show(self):
        def lines(steps):
            return "\n".join(f"    {s[0]}: " + " / ".join(
                b(x).decode(errors="backslashreplace")[:300] for x in s[1:]) for s in steps)
        by = ", logged in by himself" if self.own else ""
        return f"  over {self.how}{by}\n  prelude:\n{lines(self.prelude)}\n  script:\n{lines(self.script)}"


def compare(pairs, seed, jobs, site, only=None, most_failures=3):
    """Runs all pairs; returns the texts of the failures."""
    todo = queue.SimpleQueue()
    for n in [only] if only is not None else range(pairs):
        todo.put(n)
    failures, lock = [], threading.Lock()

    def work():
        while len(failures) < most_failures:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            pair = Pair(seed, number)
            if not pair.differs(site):
                continue
            small = pair.minimise(site)
            why = small.differs(site) or "(it does not always differ)"
            with lock:
                failures.append(f"--seed {seed} --only {number}\n{small.show()}\n{why}")

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


def make_site(pairs):
    return Users(pool=3 * pairs + 20, configure=both(PATIENT, gate("admin-only")))


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
    with make_site(pairs) as site:
        failures = compare(args.pairs, seed, args.jobs, site, args.only)
    for f in failures:
        print(f)
    print(f"{pairs} pairs, seed {seed}, {time.monotonic() - start:.1f} s, "
          f"{len(failures)} different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
