"""An IMAP client that knows its mailbox from untagged data alone.

It keeps the list of messages with UID, flags and MODSEQ as RFC 9051 section 7 and RFC 7162
section 6 tell clients to: EXISTS, EXPUNGE or VANISHED, FETCH or UIDFETCH, and HIGHESTMODSEQ.
What it was told is all it believes; nothing here is shared with the server.  It changes
mailboxes at random, loses its connection, comes back with SELECT (QRESYNC ...) from what it
has kept, becomes somebody else by UNAUTHENTICATE, and says when two statements disagree.
"""

import re

FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "$One", "two"]
NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH|UIDFETCH)(?: \((.*)\))?$", re.S)
CODE = re.compile(rb"(?:\* |\S+ )(?:OK|NO|BAD|BYE|PREAUTH) \[([A-Z-]+)(?: ([^\]]*))?\]")
BOXES = ["INBOX", "a", "b"]


class Wrong(AssertionError):
    pass


def need(truth, *what):
    if not truth:
        raise Wrong(*what)


def uid_set(text):
    out = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        out.extend(range(int(low), int(high or low) + 1))
    return out


def to_set(uids):
    """Numbers as a sequence set, ascending."""
    out, uids = [], sorted(uids)
    for u in uids:
        if out and out[-1][1] == u - 1:
            out[-1][1] = u
        else:
            out.append([u, u])
    return ",".join(f"{a}:{b}" if a != b else f"{a}" for a, b in out)


class Message:
    __slots__ = ("uid", "flags", "modseq")

    def __init__(self, uid=None, flags=None, modseq=None):
        self.uid, self.flags, self.modseq = uid, flags, modseq

    def __repr__(self):
        return f"<{self.uid} {sorted(self.flags or ())} {self.modseq}>"


class Picture:
    """What is believed of one mailbox; outlives connections."""

    def __init__(self):
        self.uidvalidity = None
        self.highest = 0
        self.messages = []

    def cached(self):
        """What can be relied on later: up to the first gap, with flags."""
        out = []
        for m in self.messages:
            if m.uid is None or m.flags is None:
                break
            out.append(m)
        return out


class Client:
    def __init__(self, site, users, rng):
        self.site, self.users, self.r = site, users, rng
        self.kept = {}          # (user, box): Picture
        self.k = self.user = self.now = None
        self.filling = False
        self.history = []
        self.count = {}
        self.begin()

    # -- sessions -----------------------------------------------------------
    def begin(self):
        """A new connection, or the old one for somebody else."""
        if self.k and self.r.random() < .5:
            if self.r.random() < .5:
                self.run("NOOP")
            self.k.unauthenticate()
            self.note("UNAUTHENTICATE")
        else:
            if self.k:
                self.k.close()
            self.k = self.site.connect("plain")
            self.note("a new connection")
        self.now = None
        self.user = self.r.choice(self.users)
        self.k.login(self.user)
        self.box = self.now = None
        self.hears_modseq = False
        self.on = set(self.r.choice([(), (), ("CONDSTORE",), ("QRESYNC",), ("QRESYNC",),
                                     ("QRESYNC", "UIDONLY"), ("UIDONLY",)]))
        if self.r.random() < .3:
            self.on.add("IMAP4rev2")
        if self.on:
            r = self.run("ENABLE " + " ".join(sorted(self.on)))
            need(set(r.untagged[-1].decode().split()[2:]) == self.on, r)
        self.hears_modseq = bool(self.on & {"CONDSTORE", "QRESYNC"})
        self.open()

    def note(self, text):
        self.history.append(text.encode() if isinstance(text, str) else text)
        del self.history[:-120]

    @property
    def uidonly(self):
        return "UIDONLY" in self.on

    # -- hearing ------------------------------------------------------------
    def hear(self, u, may_expunge=True):
        self.note(u)
        if m := CODE.match(u):
            self.hear_code(m[1], m[2])
        if u.startswith(b"* VANISHED (EARLIER) "):
            self.vanished_earlier(uid_set(u[21:]))
        elif u.startswith(b"* VANISHED "):
            need(self.on & {"QRESYNC", "UIDONLY"}, "VANISHED without QRESYNC")
            need(may_expunge, "VANISHED in a command with numbers", u)
            self.vanished(uid_set(u[11:]))
        elif m := NUMBERED.match(u):
            self.numbered(int(m[1]), m[2].decode(), m[3], may_expunge)

    def hear_code(self, name, value):
        if name == b"HIGHESTMODSEQ":
            self.code_modseq = int(value)
        elif name == b"UIDVALIDITY":
            self.heard_uidvalidity = int(value)
        elif name == b"UIDREQUIRED":
            need(self.uidonly, "UIDREQUIRED")

    def numbered(self, n, kind, rest, may_expunge):
        box = self.now.messages if self.now else []
        if kind == "EXISTS":
            if self.opening is not None:
                self.opening = n
                return
            need(n >= len(box), f"EXISTS {n} of {len(box)} without EXPUNGE")
            box.extend(Message() for _ in range(n - len(box)))
        elif kind == "EXPUNGE":
            need(not self.on & {"QRESYNC", "UIDONLY"}, "EXPUNGE, not VANISHED")
            need(may_expunge, "EXPUNGE in FETCH, STORE or SEARCH")
            need(1 <= n <= len(box), f"EXPUNGE {n} of {len(box)}")
            del box[n - 1]
        elif kind == "FETCH":
            need(not self.uidonly, "FETCH under UIDONLY")
            self.settle_opening()
            box = self.now.messages
            need(1 <= n <= len(box), f"FETCH {n} of {len(box)}")
            self.fetched(box[n - 1], rest)
        elif kind == "UIDFETCH":
            need(self.uidonly, "UIDFETCH without UIDONLY")
            self.settle_opening()
            self.fetched(self.by_uid(n), rest)

    def by_uid(self, uid):
        box = self.now.messages
        for m in box:
            if m.uid == uid:
                return m
        unknown = [m for m in box if m.uid is None]
        need(unknown, f"UID {uid} is not there")
        if not self.filling:
            return Message(uid)     # of one that is new: others may lie before it
        at = sum(1 for m in box if m.uid is not None and m.uid < uid)
        box.remove(unknown[0])
        box.insert(at, Message(uid))
        return box[at]

    def fetched(self, m, rest):
        uid = re.search(rb"\bUID (\d+)", rest)
        flags = re.search(rb"\bFLAGS \(([^)]*)\)", rest)
        modseq = re.search(rb"\bMODSEQ \((\d+)\)", rest)
        if uid:
            need(m.uid in (None, int(uid[1])), f"{m} is UID {int(uid[1])}")
            m.uid = int(uid[1])
        if modseq:
            new = int(modseq[1])
            need(self.hears_modseq, "MODSEQ nobody asked for")
            need(m.modseq is None or m.modseq <= new, f"MODSEQ of {m} falls to {new}")
            self.heard_modseq = max(self.heard_modseq, new)
            if m.modseq is not None and m.modseq < new and not flags:
                self.silently.append(m)
        if flags:
            now = frozenset(flags[1].decode().split()) - {"\\Recent"}
            need(not modseq or m.flags is None or m.modseq != int(modseq[1])
                 or m.flags == now, f"other flags at the same MODSEQ: {m} {now}")
            need(modseq or self.is_fetch or not self.hears_modseq, "FLAGS without MODSEQ")
            m.flags = now
            self.told.add(id(m))
        if modseq:
            m.modseq = int(modseq[1])
            self.answered.add(id(m))

    def vanished(self, uids):
        box = self.now.messages
        for uid in uids:
            for m in box:
                if m.uid == uid:
                    box.remove(m)
                    break
            else:
                # one whose UID was not told: it stands between its neighbours
                at = max((i + 1 for i, m in enumerate(box)
                          if m.uid is not None and m.uid < uid), default=0)
                need(at < len(box) and box[at].uid is None,
                     f"VANISHED {uid}, which is not there")
                del box[at]

    def vanished_earlier(self, uids):
        uids = set(uids)
        if self.opening is None:
            there = {m.uid for m in self.now.messages}
            need(not uids & there, f"VANISHED (EARLIER) of what is there: {uids & there}")
            return
        need(self.resyncs, "VANISHED (EARLIER) unasked")
        self.now.messages = [m for m in self.now.messages if m.uid not in uids]

    # -- speaking -----------------------------------------------------------
    def run(self, command, *literals, may_expunge=True, status="OK"):
        k = self.k
        self.told, self.answered, self.silently = set(), set(), []
        self.code_modseq, self.heard_modseq = None, 0
        self.is_fetch = "FETCH" in command.split()[:2]
        self.opening = getattr(self, "opening_next", None)
        self.count[command.split()[0]] = self.count.get(command.split()[0], 0) + 1
        self.note("C: " + command[:300])
        k.start(command, *literals)
        reply = []
        tag = f"t{k.tags} ".encode()
        while not (u := k.response()).startswith(tag):
            self.hear(u, may_expunge)
            reply.append(u)
        self.note(u)
        if m := CODE.match(u):
            self.hear_code(m[1], m[2])
        self.settle_opening()
        need(u[len(tag):].startswith(status.encode()), command, u)
        self.settle_modseq()
        r = type("R", (), {})()
        r.untagged, r.tagged = reply, u
        return r

    def settle_modseq(self):
        """RFC 7162 section 6: what stands for all that was heard."""
        if self.now is None:
            return
        if self.code_modseq is not None:
            self.now.highest = self.code_modseq
        elif self.heard_modseq > self.now.highest:
            self.now.highest = self.heard_modseq

    def settle_opening(self):
        """Behind what was kept stand the new ones."""
        if self.opening is None or self.now is None:
            return
        n, self.opening = self.opening, None
        need(len(self.now.messages) <= n, f"{n} EXISTS, {len(self.now.messages)} kept")
        self.now.messages.extend(Message() for _ in range(n - len(self.now.messages)))

    # -- opening ------------------------------------------------------------
    def resync_params(self, old):
        """QRESYNC from what was kept."""
        known = [m.uid for m in old.messages]
        out = f"{old.uidvalidity} {old.highest}"
        if known and self.r.random() < .5:
            out += " " + to_set(known)
        if known and not self.uidonly and self.r.random() < .4:
            at = sorted(self.r.sample(range(len(known)), min(len(known), 4)))
            out += (f" ({','.join(str(i + 1) for i in at)}"
                    f" {','.join(str(known[i]) for i in at)})")
        return f"QRESYNC ({out})"

    def open(self, box=None):
        self.box = box or self.r.choice(BOXES)
        old = self.kept.get((self.user, self.box))
        params = []
        fresh = Picture()
        self.resyncs = False
        if old and old.highest and "QRESYNC" in self.on and self.r.random() < .8:
            fresh.uidvalidity, fresh.highest = old.uidvalidity, old.highest
            fresh.messages = old.cached()
            params.append(self.resync_params(fresh))
            self.resyncs = True
        elif self.r.random() < .2:
            params.append("CONDSTORE")
            self.hears_modseq = True
        self.now = fresh
        self.opening_next = 0
        command = self.r.choice(("SELECT", "SELECT", "EXAMINE"))
        self.is_read_only = command == "EXAMINE"
        try:
            self.run(f"{command} {self.box}" + (f" ({' '.join(params)})" if params else ""))
        finally:
            self.opening_next = None
        fresh.uidvalidity = self.heard_uidvalidity
        need(self.hears_modseq == (self.code_modseq is not None), "HIGHESTMODSEQ")
        fresh.highest = self.code_modseq or 0
        if self.resyncs:
            self.judge_resync()
        self.resyncs = False
        self.kept[self.user, self.box] = fresh
        self.fill()

    def judge_resync(self):
        """Up to HIGHESTMODSEQ nothing may have been missed."""
        kept = {m.uid: m.flags for m in self.now.cached()}
        highest = self.now.highest
        if not self.now.messages:
            return
        self.filling = True
        r = self.run("UID FETCH 1:* (UID FLAGS MODSEQ)")
        self.filling = False
        seen, gone = set(), set()
        for u in r.untagged:
            if m := re.match(rb"\* (\d+) (?:UID)?FETCH \((.*)\)$", u, re.S):
                uid = int((re.search(rb"\bUID (\d+)", m[2]) or m)[1])
                modseq = int(re.search(rb"MODSEQ \((\d+)\)", m[2])[1])
                flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", m[2])[1].decode().split())
                seen.add(uid)
                need(modseq > highest or uid not in kept
                     or kept[uid] == flags - {"\\Recent"},
                     f"missed a change of UID {uid}: {kept.get(uid)} {flags} {modseq}")
            elif u.startswith(b"* VANISHED "):
                gone |= set(uid_set(u[11:]))
        need(set(kept) <= seen | gone, f"missed that {set(kept) - seen - gone} went")

    def fill(self):
        """Learns what is not known yet."""
        for _ in range(50):
            if not any(m.uid is None or m.flags is None for m in self.now.messages):
                return
            last = max((m.uid for m in self.now.cached()), default=0)
            items = "UID FLAGS MODSEQ" if self.hears_modseq else "UID FLAGS"
            self.filling = True
            self.run(f"UID FETCH {last + 1}:* ({items})")
            self.filling = False
        raise Wrong("FETCH brings nothing")

    # -- at random ----------------------------------------------------------
    def some(self):
        """Two positions and the UIDs between them, all known."""
        self.fill()
        n = len(self.now.messages)
        if not n:
            return None
        a = self.r.randrange(n)
        c = min(n - 1, a + self.r.randrange(5))
        return a + 1, c + 1, self.now.messages[a:c + 1]

    def store(self):
        if self.is_read_only or not (found := self.some()):
            return
        a, c, messages = found
        sign = self.r.choice(("+", "-", ""))
        silent = self.r.random() < .5
        flags = frozenset(self.r.sample(FLAGS, self.r.randrange(1, 3)))
        since, modifier = None, ""
        if self.hears_modseq and self.r.random() < .4:
            since = self.r.choice((self.now.highest, max((m.modseq or 0) for m in messages)))
            modifier = f"(UNCHANGEDSINCE {since}) "
        by_uid = self.uidonly or self.r.random() < .5
        which = f"UID STORE {to_set(m.uid for m in messages)}" if by_uid else f"STORE {a}:{c}"
        before = {id(m): m.flags for m in messages}

        def wish(m):
            old = before[id(m)]
            return old | flags if sign == "+" else old - flags if sign == "-" else flags

        r = self.run(f"{which} {modifier}{sign}FLAGS{'.SILENT' if silent else ''} "
                     f"({' '.join(flags)})", may_expunge=by_uid)
        failed = re.search(rb"\[MODIFIED ([^\]]*)\]", r.tagged)
        failed = set(uid_set(failed[1])) if failed else set()
        need(since is not None or not failed, "MODIFIED without UNCHANGEDSINCE")
        if not by_uid:
            failed = {messages[n - a].uid for n in failed}
        for m in messages:
            if id(m) in self.told or m.uid in failed:
                continue
            if not any(x is m for x in self.now.messages):
                continue                       # it has gone
            if since is not None and id(m) not in self.answered:
                continue                       # it has gone, and that is not told yet
            if silent:
                m.flags = wish(m)
        for m in self.silently:
            need(id(m) in before or id(m) in self.told, "a new MODSEQ without its flags")

    def delete(self):
        if self.is_read_only or not (found := self.some()):
            return
        uids = to_set(m.uid for m in found[2])
        self.run(f"UID STORE {uids} +FLAGS (\\Deleted)")
        r = self.run(self.r.choice(("EXPUNGE", "EXPUNGE", f"UID EXPUNGE {uids}")))
        went = any(u.startswith(b"* VANISHED") for u in r.untagged)
        need("QRESYNC" in self.on or b"[HIGHESTMODSEQ" not in r.tagged, r.tagged)
        need(went or b"[HIGHESTMODSEQ" not in r.tagged, "HIGHESTMODSEQ, and nothing went")

    def move(self):
        if self.is_read_only or not (found := self.some()):
            return
        a, c, messages = found
        to = self.r.choice(BOXES)
        if self.uidonly or self.r.random() < .5:
            self.run(f"UID MOVE {to_set(m.uid for m in messages)} {to}")
        else:
            self.run(f"MOVE {a}:{c} {to}")

    def copy(self):
        if found := self.some():
            uids = to_set(m.uid for m in found[2])
            self.run(f"UID COPY {uids} {self.r.choice(BOXES)}")

    def append(self):
        flags = " ".join(self.r.sample(FLAGS, self.r.randrange(3)))
        self.run(f"APPEND {self.r.choice(BOXES)} ({flags}) {{}}", b"Subject: x\r\n\r\nx\r\n")

    def fetch(self):
        if not (found := self.some()):
            return
        a, c, messages = found
        items = self.r.choice(("FLAGS", "(UID FLAGS)", "(UID BODY.PEEK[])", "(BODY[TEXT])"))
        if self.r.random() < .1:
            items = "(FLAGS MODSEQ)"
            self.hears_modseq = True
        if self.uidonly or self.r.random() < .5:
            self.run(f"UID FETCH {to_set(m.uid for m in messages)} {items}")
        else:
            self.run(f"FETCH {a}:{c} {items}", may_expunge=False)

    def changed_since(self):
        if not self.hears_modseq:
            return
        since = max(0, self.now.highest - self.r.randrange(20))
        vanished = " VANISHED" if "QRESYNC" in self.on else ""
        self.run(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{vanished})")

    def search(self):
        if self.r.random() < .3:
            self.hears_modseq = True
            self.run(f"UID SEARCH MODSEQ {self.now.highest or 1}")
        elif self.uidonly:
            self.run("UID SEARCH KEYWORD two")
        else:
            self.run(self.r.choice(("SEARCH UNSEEN", "SEARCH OR SEEN KEYWORD two")),
                     may_expunge=False)

    def noop(self):
        self.run(self.r.choice(("NOOP", "NOOP", "CHECK")))

    def status(self):
        if self.r.random() < .1:
            self.hears_modseq = True
            self.run(f"STATUS {self.r.choice(BOXES)} (MESSAGES HIGHESTMODSEQ)")
        else:
            self.run(f"STATUS {self.r.choice(BOXES)} (MESSAGES UIDNEXT)")

    def reopen(self):
        """Another mailbox, or the same again; with CLOSE some marked ones go unsaid."""
        if self.r.random() < .3:
            self.run(self.r.choice(("UNSELECT", "CLOSE")))
            self.now = None
        self.open()

    def vanish(self):
        """The connection breaks in the middle of something, and another one is made."""
        self.k.start(self.r.choice(("NOOP", "EXPUNGE", "UID FETCH 1:* (FLAGS)")))
        self.k.close()
        self.k = None
        self.begin()

    def step(self):
        count = len(self.now.messages)
        grow = [self.append] * (6 if count < 20 else 2)
        shrink = [self.delete, self.move] * (3 if count > 60 else 1)
        self.r.choice((*grow, *shrink, *[self.store] * 4, self.copy, self.fetch, self.fetch,
                       self.changed_since, self.search, self.noop, self.noop, self.status,
                       self.reopen, self.r.choice((self.vanish, self.begin, self.noop))))()

    # -- when all is quiet --------------------------------------------------
    def judge(self, truth):
        """`truth`: [(uid, flags, modseq)] of this mailbox, by a fresh FETCH."""
        self.run("NOOP")
        self.fill()
        mine = [(m.uid, m.flags) for m in self.now.messages]
        need(mine == [(u, f) for u, f, _ in truth],
             f"{self.user} {self.box}: {sorted(set(mine) ^ {(u, f) for u, f, _ in truth})}")
        for m, (_, _, modseq) in zip(self.now.messages, truth):
            need(m.modseq is None or not self.hears_modseq or m.modseq <= modseq, m, modseq)
        if self.hears_modseq and truth:
            newest = max(modseq for _, _, modseq in truth)
            self.run(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {newest})")
            need(not self.told, "changed since the newest")


def truth_of(k, box):
    """A fresh FETCH by a session that does nothing else."""
    k.ok(f"EXAMINE {box}")
    out = []
    for u in k.ok("UID FETCH 1:* (UID FLAGS MODSEQ)").untagged:
        if m := re.match(rb"\* \d+ FETCH \((.*)\)$", u, re.S):
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", m[1])[1].decode().split())
            out.append((int(re.search(rb"UID (\d+)", m[1])[1]), flags - {"\\Recent"},
                        int(re.search(rb"MODSEQ \((\d+)\)", m[1])[1])))
    return out
