"""Many clients change one mailbox at once, and a model of what each of them has been told.

RFC 9051 sections 5.2 and 7: sequence numbers move only by EXISTS and EXPUNGE, and never
within FETCH, STORE or SEARCH.  So whoever replays what he was told knows the mailbox: when
all is quiet, the model of each client is what a fresh FETCH says, UIDs and flags.

MAILSTILE_CONCURRENCY_SECONDS: how long (60); MAILSTILE_CONCURRENCY_CLIENTS: how many (12);
MAILSTILE_SEED: a run like another one, as far as threads allow that.
"""

import os
import random
import re
import threading
import time

from harness import Site, readable
from settings import PATIENT, both, limit

SECONDS = float(os.environ.get("MAILSTILE_CONCURRENCY_SECONDS", "60"))
CLIENTS = int(os.environ.get("MAILSTILE_CONCURRENCY_CLIENTS", "12"))
SEED = int(os.environ.get("MAILSTILE_SEED", str(int(time.time()))))
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "$One", "two"]
FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)$", re.S)
MOST = 400      # messages; above it more is deleted than appended


class Ledger:
    """What was acknowledged to anybody."""

    def __init__(self):
        self.lock = threading.Lock()
        self.came, self.appended, self.deleted = set(), set(), set()

    def add(self, uids, is_copy):
        """A copy may have \\Deleted of the message it was made from."""
        with self.lock:
            assert not self.came & uids, f"given twice: {self.came & uids}"
            self.came |= uids
            if not is_copy:
                self.appended |= uids

    def delete(self, uids):
        with self.lock:
            self.deleted |= set(uids)


class Message:
    __slots__ = ("uid", "flags")

    def __init__(self):
        self.uid = self.flags = None


class Client:
    def __init__(self, site, user, ledger, seed):
        self.r = random.Random(seed)
        self.k = site.session(user)
        if self.r.random() < .5:
            self.k.ok("ENABLE IMAP4rev2")
        self.ledger = ledger
        self.told, self.error, self.history = set(), None, []
        self.box = [Message() for _ in range(self.k.select("box").exists)]
        self.fetch_all()

    # -- the model ----------------------------------------------------------
    def hear(self, u, may_expunge):
        self.history.append(u[:200])
        if m := re.match(rb"\* (\d+) EXISTS$", u):
            n = int(m[1])
            assert n >= len(self.box), f"EXISTS {n} of {len(self.box)}"
            self.box += [Message() for _ in range(n - len(self.box))]
        elif m := re.match(rb"\* (\d+) EXPUNGE$", u):
            assert may_expunge, "EXPUNGE within FETCH, STORE or SEARCH"
            assert 1 <= int(m[1]) <= len(self.box), f"{u} of {len(self.box)}"
            del self.box[int(m[1]) - 1]
        elif m := FETCH.match(u):
            self.hear_fetch(int(m[1]), m[2])

    def hear_fetch(self, seq, items):
        assert 1 <= seq <= len(self.box), f"FETCH {seq} of {len(self.box)}"
        m = self.box[seq - 1]
        if uid := re.search(rb"UID (\d+)", items):
            uid = int(uid[1])
            assert m.uid in (None, uid), f"message {seq} was {m.uid}, is {uid}"
            m.uid = uid
        if flags := re.search(rb"FLAGS \(([^)]*)\)", items):
            m.flags = frozenset(f for f in flags[1].decode().split()
                                if f != r"\Recent")
            self.told.add(id(m))

    def run(self, command, *literals, may_expunge=True):
        self.history.append(b"C: " + command.encode()[:200])
        self.told = set()
        tag = self.k.start(command, *literals)
        while True:
            u = self.k.response()
            if u.startswith(tag.encode() + b" "):
                self.history.append(u)
                return u
            assert u.startswith(b"* ") and not u.startswith(b"* BYE"), u
            self.hear(u, may_expunge)

    def ok(self, command, *literals, **kw):
        u = self.run(command, *literals, **kw)
        assert b" OK " in u, u
        return u

    # -- what it does -------------------------------------------------------
    def fetch_all(self):
        if self.box:
            self.ok("FETCH 1:* (UID FLAGS)", may_expunge=False)

    def some(self):
        at = self.r.randint(1, len(self.box))
        return at, min(len(self.box), at + self.r.choice((0, 0, 3, 20)))

    def mortal(self, low, high):
        """Of these, what may be deleted: nobody may lose what is marked $Keep."""
        uids = [m.uid for m in self.box[low - 1:high]
                if m.uid and m.flags is not None and "$Keep" not in m.flags]
        self.ledger.delete(uids)
        return uids

    def append(self):
        flags = self.r.choice(("", r"(\Seen) ", "(two) ", "($Keep) "))
        n = self.r.choice((1, 1, 1, 5))
        messages = [b"Subject: %d\r\n\r\nx\r\n" % self.r.randrange(10 ** 9)] * n
        u = self.ok("APPEND box " + " ".join([flags + "{}"] * n), *messages)
        self.ledger.add(uid_set(re.search(rb"APPENDUID \d+ (\S+)\]", u)[1]), False)

    def copy(self):
        low, high = self.some()
        u = self.run(f"COPY {low}:{high} box")
        if m := re.search(rb"COPYUID \d+ (\S+) (\S+)\]", u):
            assert len(uid_set(m[1])) == len(uid_set(m[2])), u
            self.ledger.add(uid_set(m[2]), True)

    def store(self):
        low, high = self.some()
        sign, flag = self.r.choice("+-"), self.r.choice(FLAGS)
        is_silent = self.r.random() < .5
        them = self.box[low - 1:high]
        self.ok(f"STORE {low}:{high} {sign}FLAGS{'.SILENT' if is_silent else ''} ({flag})",
                may_expunge=False)
        for m in them:      # what it was not told is as it asked (section 6.4.6)
            if is_silent and m.flags is not None and id(m) not in self.told:
                m.flags = m.flags | {flag} if sign == "+" else \
                    m.flags - {flag}
            # one that another has expunged meanwhile is passed over
            assert is_silent or id(m) in self.told or m.uid is None or \
                m.uid in self.ledger.deleted, "not told of its own STORE"

    def delete(self):
        uids = self.mortal(*self.some())
        if uids:
            uids = ",".join(map(str, uids))
            self.ok(f"UID STORE {uids} +FLAGS (\\Deleted)")
            self.r.choice((lambda: self.ok("EXPUNGE"), lambda: None,
                           lambda: self.ok(f"UID EXPUNGE {uids}")))()

    def move(self):
        uids = self.mortal(*self.some())
        if uids:
            self.run(f"UID MOVE {','.join(map(str, uids))} other")

    def fetch(self):
        low, high = self.some()
        items = self.r.choice(("FLAGS", "(UID FLAGS)", "(UID BODY.PEEK[])", "(UID BODY[TEXT])"))
        self.run(f"FETCH {low}:{high} {items}", may_expunge=False)

    def search(self):
        self.ok(self.r.choice(("SEARCH", "UID SEARCH")) + " OR SEEN KEYWORD two",
                may_expunge=True)

    def noop(self):
        self.ok(self.r.choice(("NOOP", "CHECK", "STATUS box (MESSAGES)")))

    def reopen(self):
        n = int(re.search(rb"\* (\d+) EXISTS", self.select())[1])
        self.box = [Message() for _ in range(n)]
        self.fetch_all()

    def select(self):
        r = self.k.ok("SELECT box")
        return b"\r\n".join(r.untagged)

    def idle(self):
        k, tag = self.k, self.k.tag()
        self.history.append(b"C: IDLE")
        k.send(f"{tag} IDLE\r\n")
        while not (u := k.response()).startswith(b"+"):
            self.hear(u, True)
        end = time.monotonic() + self.r.random() / 4
        while (left := end - time.monotonic()) > 0 and readable(k, left):
            self.hear(k.response(), True)
        k.send("DONE\r\n")
        while not (u := k.response()).startswith(tag.encode()):
            self.hear(u, True)

    def step(self):
        if len(self.box) < 5:
            self.append()
        else:
            more = (self.append, self.copy) if len(self.box) < MOST else (self.delete,) * 3
            self.r.choice((*more, self.store, self.store, self.store, self.delete, self.move,
                           self.fetch, self.fetch, self.search, self.noop, self.idle,
                           self.r.choice((self.noop, self.noop, self.fetch_all,
                                          self.reopen))))()
        del self.history[:-200]

    def work(self, end):
        try:
            while time.monotonic() < end:
                self.step()
        except BaseException as e:
            self.error = e

    # -- at the end ---------------------------------------------------------
    def judge(self, truth):
        """All is quiet: the replay of what it was told against a fresh FETCH."""
        self.ok("NOOP")
        model = [(m.uid, m.flags) for m in self.box]
        assert len(model) == len(truth), f"{len(model)} messages, not {len(truth)}"
        for (uid, flags), (true_uid, true_flags) in zip(model, truth):
            assert uid in (None, true_uid), (uid, true_uid)
            assert flags is None or flags == true_flags, (true_uid, flags, true_flags)
        self.fetch_all()
        assert [(m.uid, m.flags) for m in self.box] == truth


def uid_set(text):
    out = set()
    for part in text.decode().split(","):
        low, _, high = part.partition(":")
        out |= set(range(int(low), int(high or low) + 1))
    return out


def told_by(c):
    return b"\n".join(c.history[-40:]).decode(errors="replace")


def judge_all(site, user, ledger, clients):
    fresh = Client(site, user, ledger, 0)
    truth = [(m.uid, m.flags) for m in fresh.box]
    uids = [u for u, _ in truth]
    assert uids == sorted(set(uids))
    assert set(uids) <= ledger.came
    lost = ledger.appended - ledger.deleted - set(uids)
    assert not lost, f"lost: {sorted(lost)[:20]}"
    for n, c in enumerate(clients):
        try:
            c.judge(truth)
        except AssertionError as e:
            raise AssertionError(f"client {n}: {e}\n{told_by(c)}") from e
        c.k.close()
    fresh.k.close()


def test_each_client_knows_the_mailbox_by_what_it_was_told():
    print("MAILSTILE_SEED", SEED)
    with Site(pool=1, configure=both(PATIENT, limit("sessions-per-user", 0))) as site:
        user = site.new_user()
        with site.session(user) as k:
            k.ok("CREATE box")
            k.ok("CREATE other")
        ledger = Ledger()
        end = time.monotonic() + SECONDS
        rounds = 0
        while time.monotonic() < end:
            # quiet every now and then, so that a fault is near its cause
            clients = [Client(site, user, ledger, f"{SEED} {rounds} {i}")
                       for i in range(CLIENTS)]
            until = min(end, time.monotonic() + max(5, SECONDS / 10))
            threads = [threading.Thread(target=c.work, args=(until,)) for c in clients]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            for n, c in enumerate(clients):
                assert c.error is None, f"client {n}: {c.error!r}\n{told_by(c)}"
            judge_all(site, user, ledger, clients)
            rounds += 1
        assert len(ledger.appended) > 50 and ledger.deleted
