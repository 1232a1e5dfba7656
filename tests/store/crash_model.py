"""One IMAP writer and what it knows: a model of everything that was acknowledged to it.

`Writer` does random commands on mailboxes of its own.  `Model` is what they must have left;
a command that was under way when the server died may have happened or not, but nothing
else may differ: no message lost, doubled or changed, no UID given twice.
"""

import collections
import copy
import random
import re
import socket

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Junk", "work")


class Gone(Exception):
    """The connection has ended."""


class Lost(AssertionError):
    """What was acknowledged is not there, or not as it was."""


def message(key):
    """The bytes of a message: the same for the same key, in the sizes that mail has."""
    rnd = random.Random(key)
    size = rnd.choice((0, 200, 2000, 2000, 9000, 60000))
    body = "".join(rnd.choice("abcdefgh ijkl") for _ in range(min(size, 300)))
    text = (body + "\r\n") * (size // max(1, len(body) + 2))
    if rnd.random() < 0.3:          # what does not compress
        text += "".join(chr(rnd.randrange(33, 126)) for _ in range(size // 4)) + "\r\n"
    return (f"From: a@example.org\r\nSubject: {key}\r\nX-Key: {key}\r\n\r\n{text}").encode()


class Imap:
    def __init__(self, port, user, password):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.sock.makefile("rb")
        self.n = 0
        self.line()
        self.ok("LOGIN %s \"%s\"" % (user, password))
        # MODSEQs are compared where the server shows them (RFC 7162)
        self.has_modseq = any(b" CONDSTORE" in u for u in self.ok("CAPABILITY")[1])

    def line(self):
        """A response with its literals."""
        out = b""
        while True:
            try:
                part = self.file.readline()
            except OSError as e:
                raise Gone from e
            if not part.endswith(b"\n"):
                raise Gone
            out += part
            size = re.search(rb"\{(\d+)\}\r\n$", part)
            if not size:
                return out
            literal = self.file.read(int(size[1]))
            if len(literal) < int(size[1]):
                raise Gone
            out += literal

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Gone from e

    def command(self, text, literal=None):
        """Tagged reply and the untagged ones before it."""
        self.n += 1
        tag = f"t{self.n}"
        self.send(f"{tag} {text}\r\n".encode())
        untagged = []
        while True:
            line = self.line()
            if line.startswith(b"+ ") and literal is not None:
                self.send(literal + b"\r\n")
                literal = None
            elif line.startswith(tag.encode() + b" "):
                return line[len(tag) + 1:].decode(errors="replace"), untagged
            elif line.startswith(b"* BYE"):
                raise Gone
            else:
                untagged.append(line)

    def ok(self, text, literal=None):
        reply, untagged = self.command(text, literal)
        assert reply.startswith("OK"), (text[:200], reply)
        return reply, untagged

    def close(self):
        self.file.close()
        self.sock.close()


class Box:
    def __init__(self, uidvalidity):
        self.uidvalidity = uidvalidity
        self.top = 0            # no UID up to here may be given again
        self.at = {}            # UID -> (key, flags)
        self.new = []           # (key, flags) with UIDs that nobody was told
        self.highest = 0        # HIGHESTMODSEQ, as told last
        self.modseq = {}        # UID -> MODSEQ, as told last


def uids_of(text):
    out = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        out += range(int(lo), int(hi or lo) + 1)
    return out


class Model:
    def __init__(self):
        self.box = {}

    def after(self, op):
        """As it is if `op`, of whose reply nothing is known, has happened."""
        m = copy.deepcopy(self)
        kind, *rest = op
        if kind == "create":
            m.box[rest[0]] = Box(None)
        elif kind == "delete":
            del m.box[rest[0]]
        elif kind == "rename":
            m.box[rest[1]] = m.box.pop(rest[0])
        elif kind == "append":
            m.box[rest[0]].new.append((rest[1], rest[2]))
        elif kind == "flags":
            for uid in rest[1]:
                m.box[rest[0]].at[uid] = (m.box[rest[0]].at[uid][0], rest[2])
        elif kind == "expunge":
            for uid in rest[1]:
                del m.box[rest[0]].at[uid]
        elif kind in ("copy", "move"):
            source, uids, target = rest
            m.box[target].new += [m.box[source].at[u] for u in uids]
            if kind == "move":
                for uid in uids:
                    del m.box[source].at[uid]
        return m

    def differs(self, actual):
        """A sentence, or None; `actual`: name -> Box as the server shows it."""
        if set(self.box) != set(actual):
            return f"mailboxes {sorted(self.box)}, there are {sorted(actual)}"
        for name, want in self.box.items():
            have = actual[name]
            if want.uidvalidity not in (None, have.uidvalidity):
                return f"{name}: UIDVALIDITY {want.uidvalidity}, now {have.uidvalidity}"
            if have.top < want.top:
                return f"{name}: UIDNEXT {have.top + 1}, but {want.top} was given"
            for uid, known in want.at.items():
                if have.at.get(uid) != known:
                    return f"{name}: UID {uid} was {known}, is {have.at.get(uid)}"
            more = {u: m for u, m in have.at.items() if u not in want.at}
            if any(u <= want.top for u in more):
                return f"{name}: UIDs {sorted(more)} come back, {want.top} was given"
            if [m for _, m in sorted(more.items())] != want.new:
                return f"{name}: {more} instead of {want.new}"
            if have.highest < want.highest:
                return f"{name}: HIGHESTMODSEQ {have.highest}, was {want.highest}"
            back = [u for u, n in have.modseq.items()
                    if not want.modseq.get(u, 0) <= n <= have.highest]
            if back:
                return f"{name}: the MODSEQ of {back} went back, or is above the highest"
        return None


class Writer:
    def __init__(self, user, password, prefix, seed):
        self.user, self.password, self.prefix = user, password, prefix
        self.rnd = random.Random(seed)
        self.model = Model()
        self.pending = None
        self.serial = 0
        self.acknowledged = collections.Counter()
        self.refused = 0
        self.fault = None

    # -- under load -----------------------------------------------------------
    def run(self, port, until):
        """Commands until `until()` or the connection ends."""
        self.pending = None
        try:
            self.c = Imap(port, self.user, self.password)
            self.selected = None
            while not until():
                self.step()
        except (Gone, OSError):
            pass
        except Exception as e:      # told by the main thread
            self.fault = e

    def do(self, op, text, literal=None):
        """An operation that may be refused for want of space; then nothing happened."""
        self.pending = op
        reply, untagged = self.c.command(text, literal)
        self.pending = None
        if reply.startswith("NO [OVERQUOTA]") or reply.startswith("NO [UNAVAILABLE]"):
            self.refused += 1
            return None
        assert reply.startswith("OK"), (text[:200], reply)
        self.acknowledged[op[0]] += 1
        return reply, untagged

    def note_modseq(self):
        """What was told of a mailbox may not be taken back after a crash."""
        name = self.rnd.choice(list(self.model.box))
        _, untagged = self.c.ok(f'STATUS "{name}" (HIGHESTMODSEQ)')
        # not the one of an OK, which is about the selected mailbox (RFC 7162 section 3.1.2)
        told = b"".join(u for u in untagged if u.startswith(b"* STATUS"))
        now = int(re.search(rb"HIGHESTMODSEQ (\d+)", told)[1])
        box = self.model.box[name]
        if now < box.highest:
            raise Lost(f"{name}: HIGHESTMODSEQ {now}, was {box.highest}")
        box.highest = now

    def step(self):
        if self.c.has_modseq and self.model.box and self.rnd.random() < 0.2:
            self.note_modseq()
        boxes = [n for n, b in self.model.box.items()]
        full = [n for n in boxes if self.model.box[n].at]
        kinds = ["append"] * 8 + ["create"]
        if full:
            kinds += ["flags"] * 6 + ["copy"] * 3 + ["move"] * 3 + ["expunge"] * 3
        if len(boxes) > 3:
            kinds += ["rename", "delete"]
        kind = self.rnd.choice(kinds if boxes else ["create"])
        if kind == "create" and len(boxes) > 5:
            kind = "append"
        getattr(self, kind)(self.rnd.choice(full if full and kind not in
                                            ("append", "create", "rename", "delete")
                                            else boxes or [None]))

    def new_name(self):
        self.serial += 1
        return f"{self.prefix}/m{self.serial}"

    def select(self, name):
        if self.selected != name:
            self.selected = None
            self.c.ok(f'SELECT "{name}"')
            self.selected = name

    def unselect(self):
        if self.selected:
            self.c.ok("UNSELECT")
            self.selected = None

    def some(self, name):
        uids = sorted(self.model.box[name].at)
        n = self.rnd.choice((1, 1, 2, 5))
        return sorted(self.rnd.sample(uids, min(n, len(uids))))

    def create(self, _):
        name = self.new_name()
        if self.do(("create", name), f'CREATE "{name}"'):
            box = self.model.box[name] = Box(None)
            _, untagged = self.c.ok(f'STATUS "{name}" (UIDVALIDITY)')
            box.uidvalidity = int(re.search(rb"UIDVALIDITY (\d+)", b"".join(untagged))[1])

    def delete(self, name):
        self.unselect()
        if self.do(("delete", name), f'DELETE "{name}"'):
            del self.model.box[name]

    def rename(self, name):
        to = self.new_name()
        self.unselect()
        if self.do(("rename", name, to), f'RENAME "{name}" "{to}"'):
            self.model.box[to] = self.model.box.pop(name)

    def append(self, name):
        self.serial += 1
        key = f"{self.prefix}-{self.serial}"
        flags = frozenset(self.rnd.sample(FLAGS, self.rnd.randrange(3)))
        data = message(key)
        done = self.do(("append", name, key, flags),
                       f'APPEND "{name}" ({" ".join(flags)}) {{{len(data)}}}', data)
        if done:
            code = re.search(r"APPENDUID (\d+) (\d+)", done[0])
            self.add(name, int(code[1]), {int(code[2]): (key, flags)})

    def add(self, name, uidvalidity, messages):
        box = self.model.box[name]
        assert uidvalidity == box.uidvalidity, (name, uidvalidity, box.uidvalidity)
        assert min(messages) > box.top, ("a UID twice", name, messages, box.top)
        box.at.update(messages)
        box.top = max(messages)

    def flags(self, name):
        self.select(name)
        uids, flags = self.some(name), frozenset(self.rnd.sample(FLAGS, self.rnd.randrange(4)))
        if self.do(("flags", name, uids, flags), "UID STORE %s FLAGS.SILENT (%s)" % (
                ",".join(map(str, uids)), " ".join(flags))):
            for uid in uids:
                self.model.box[name].at[uid] = (self.model.box[name].at[uid][0], flags)

    def expunge(self, name):
        self.select(name)
        at = self.model.box[name].at
        uids = [u for u in sorted(at) if "\\Deleted" in at[u][1]][:5]
        if not uids:
            return
        if self.do(("expunge", name, uids), "UID EXPUNGE " + ",".join(map(str, uids))):
            for uid in uids:
                del at[uid]

    def copy(self, name, verb="copy"):
        self.select(name)
        target = self.rnd.choice([n for n in self.model.box if n != name] or [name])
        if verb == "move" and target == name:
            return
        uids = self.some(name)
        done = self.do((verb, name, uids, target), 'UID %s %s "%s"' % (
            verb.upper(), ",".join(map(str, uids)), target))
        if not done:
            return
        text = done[0] + b"".join(done[1]).decode(errors="replace")
        code = re.search(r"COPYUID (\d+) ([\d:,]+) ([\d:,]+)", text)
        source, new = uids_of(code[2]), uids_of(code[3])
        assert sorted(source) == uids, (uids, source)
        at = self.model.box[name].at
        self.add(target, int(code[1]), {n: at[s] for s, n in zip(source, new)})
        if verb == "move":
            for uid in uids:
                del at[uid]

    def move(self, name):
        self.copy(name, "move")

    # -- afterwards -----------------------------------------------------------
    def look(self, port):
        """What is there now, every body compared byte for byte."""
        c = Imap(port, self.user, self.password)
        more = " MODSEQ" if c.has_modseq else ""
        actual = {}
        for line in c.ok(f'LIST "" "{self.prefix}/%"')[1]:
            name = re.search(rb'"?([^" ]+)"?\r\n$', line)[1].decode()
            box = actual[name] = Box(0)
            _, untagged = c.ok(f'EXAMINE "{name}"' + (" (CONDSTORE)" if more else ""))
            text = b"".join(untagged)
            if more:
                box.highest = int(re.search(rb"HIGHESTMODSEQ (\d+)", text)[1])
            box.uidvalidity = int(re.search(rb"UIDVALIDITY (\d+)", text)[1])
            box.top = int(re.search(rb"UIDNEXT (\d+)", text)[1]) - 1
            if re.search(rb"\* 0 EXISTS", text):
                continue
            for item in c.ok(f"UID FETCH 1:* (UID FLAGS{more} BODY.PEEK[])")[1]:
                uid = re.search(rb"UID (\d+)", item)
                if not uid:
                    continue
                size = re.search(rb"BODY\[\] \{(\d+)\}\r\n", item)
                body = item[size.end():size.end() + int(size[1])]
                rest = item[:size.start()] + item[size.end() + int(size[1]):]
                flags = re.search(rb"FLAGS \(([^)]*)\)", rest)[1].decode().split()
                key = re.search(rb"X-Key: (\S+)", body)
                if not key or body != message(key[1].decode()):
                    raise Lost(f"{name}: the body of {uid[1]} differs")
                if int(uid[1]) in box.at:
                    raise Lost(f"{name}: UID {uid[1]} is there twice")
                if more:
                    box.modseq[int(uid[1])] = int(re.search(rb"MODSEQ \((\d+)\)", rest)[1])
                box.at[int(uid[1])] = (key[1].decode(), frozenset(flags) - {"\\Recent"})
        c.close()
        return actual

    def verify(self, port):
        actual = self.look(port)
        wrong = self.model.differs(actual)
        if wrong and self.pending:
            wrong = self.model.after(self.pending).differs(actual) and wrong
        if wrong:
            raise Lost(f"{self.prefix}: {wrong}; under way was {self.pending}")
        for name, box in actual.items():
            if name in self.model.box:
                box.top = max(box.top, self.model.box[name].top)
        self.model.box = actual
