"""Compares a response with the pattern of a transcript (RFC 9051 section 9).

Order that the RFC leaves open is left open: attributes, flags, capabilities,
the pairs of STATUS, ESEARCH and FETCH.  A string may come quoted or as a
literal, a mailbox name also as an atom.  Everything else is exact.

In a pattern `...` stands for any rest of the list or line it is in, `<A|B>` for
one of these words, `${name}` for a value: the first time it is taken down, and
from then on it must be the same.
"""

import re

ANY = ("any", b"...")
PAIRED = {b"STATUS", b"FETCH"}
SPECIAL = rb'()" \r\n'


class Mismatch(Exception):
    pass


def tokens(data):
    """Bytes -> list of ("atom"|"string", bytes), lists and ANY."""
    pos, stack = 0, [[]]
    while pos < len(data):
        c = data[pos:pos + 1]
        if c in b" ":
            pos += 1
        elif c == b"(":
            stack.append([])
            pos += 1
        elif c == b")":
            if len(stack) == 1:
                raise Mismatch("unbalanced )")
            done = stack.pop()
            stack[-1].append(done)
            pos += 1
        elif c == b'"':
            m = re.compile(rb'"((?:[^"\\\r\n]|\\.)*)"').match(data, pos)
            if not m:
                raise Mismatch("open quote")
            stack[-1].append(("string", re.sub(rb"\\(.)", rb"\1", m[1])))
            pos = m.end()
        elif m := re.compile(rb"(~?)\{(\d+)\}\r\n").match(data, pos):
            end = m.end() + int(m[2])
            kind = "literal8" if m[1] else "string"
            stack[-1].append((kind, data[m.end():end]))
            pos = end
        else:
            # an atom; brackets hold what would end it: BODY[HEADER.FIELDS (A)]
            m = re.compile(rb'(?:\$\{\w+\}|\[(?:[^\]"\r\n]|"[^"]*")*\]|[^() "\r\n\[])+'
                           rb'|\[').match(data, pos)
            if not m:
                raise Mismatch(f"at {data[pos:pos + 20]!r}")
            stack[-1].append(ANY if m[0] == b"..." else ("atom", m[0]))
            pos = m.end()
    if len(stack) != 1:
        raise Mismatch("unbalanced (")
    return stack[0]


class Matcher:
    def __init__(self):
        self.vars = {}

    def __call__(self, pattern, response):
        """Raises Mismatch; on success keeps what ${name} stands for."""
        keep = dict(self.vars)
        try:
            self.response(pattern, response)
        except Mismatch:
            self.vars = keep
            raise

    def value(self, name, got):
        if self.vars.setdefault(name, got) != got:
            raise Mismatch(f"${{{name}}} is {self.vars[name]!r}, not {got!r}")

    def word(self, want, got, fold=True):
        if m := re.fullmatch(rb"\$\{(\w+)\}", want):
            return self.value(m[1].decode(), got)
        if m := re.fullmatch(rb"<([A-Za-z]+(?:\|[A-Za-z]+)+)>", want):
            if got.upper() in m[1].upper().split(b"|"):
                return None
            raise Mismatch(f"{got!r} is none of {want!r}")
        if b"${" in want:
            parts = re.split(rb"(\$\{\w+\})", want)
            rx = b"".join(rb"([^\s\]\"()<>]+?)" if p.startswith(b"${") else re.escape(p)
                          for p in parts)
            m = re.fullmatch(rx, got)
            if not m:
                raise Mismatch(f"{got!r} is not {want!r}")
            names = [p[2:-1].decode() for p in parts if p.startswith(b"${")]
            for n, v in zip(names, m.groups()):
                self.value(n, v)
            return None
        a, c = (want.upper(), got.upper()) if fold else (want, got)
        if a != c:
            raise Mismatch(f"wanted {want!r}, got {got!r}")
        return None

    def token(self, want, got):
        if want is ANY:
            return
        if isinstance(want, list) or isinstance(got, list):
            if not (isinstance(want, list) and isinstance(got, list)):
                raise Mismatch(f"wanted {want!r}, got {got!r}")
            self.ordered(want, got)
            return
        if want[0] == "atom" and want[1].startswith(b"${") and want[1].endswith(b"}"):
            return self.word(want[1], got[1])
        if want[0] != got[0]:
            raise Mismatch(f"wanted {want!r}, got {got!r}")
        return self.word(want[1], got[1], fold=want[0] == "atom")

    def ordered(self, want, got):
        for i, w in enumerate(want):
            if w is ANY:
                return
            if i >= len(got):
                raise Mismatch(f"missing {w!r} and after")
            self.token(w, got[i])
        if len(got) > len(want):
            raise Mismatch(f"too much: {got[len(want):]!r}")

    def unordered(self, want, got, match=None):
        """Each of `want` once in `got`, whatever the order; ANY takes the rest."""
        left = list(got)
        for w in want:
            if w is ANY:
                continue
            for g in left:
                keep = dict(self.vars)
                try:
                    (match or self.token)(w, g)
                except Mismatch:
                    self.vars = keep
                else:
                    left.remove(g)
                    break
            else:
                raise Mismatch(f"no {w!r} in {got!r}")
        if left and ANY not in want:
            raise Mismatch(f"too much: {left!r}")

    def pairs(self, want, got):
        def split(items):
            out, items = [], list(items)
            while items:
                out.append(ANY if items[0] is ANY else items[:2])
                del items[:1 if out[-1] is ANY else 2]
            return out

        def one(w, g):
            name = item_name(w[0])
            if name != item_name(g[0]) or len(w) != 2 or len(g) != 2:
                raise Mismatch(f"{w!r} is not {g!r}")
            if name == b"FLAGS":
                self.unordered(w[1], g[1])
            elif name in (b"BODY", b"BODYSTRUCTURE"):
                self.token(folded(w[1]), folded(g[1]))   # media types in any case
            else:
                self.token(w[1], g[1])

        self.unordered(split(want), split(got), one)

    def name(self, want, got):
        """A mailbox: atom or string (not both sides need the same form)."""
        if isinstance(want, list) or isinstance(got, list):
            raise Mismatch("no mailbox name")
        if want is ANY:
            return
        if want[1].startswith(b"${"):
            return self.word(want[1], got[1])
        return self.word(want[1], got[1], fold=want[1].upper() == b"INBOX")

    def text(self, want, got):
        """resp-text: a code in brackets, compared by its structure, and text."""
        if want == b"...":
            return
        rx = re.compile(rb"\[(\S+?)(?: ([^\]]*))?\](?: (.*))?", re.S)
        w, g = rx.fullmatch(want), rx.fullmatch(got)
        if not w:
            self.human(want, got)
            return
        if not g:
            raise Mismatch(f"wanted {want!r}, got {got!r}")
        self.word(w[1], g[1])
        wa, ga = tokens(w[2] or b""), tokens(g[2] or b"")
        if w[1] == b"CAPABILITY":
            self.unordered(wa, ga)
        elif w[1] in (b"PERMANENTFLAGS", b"BADCHARSET") and wa and ga:
            self.unordered(wa[0], ga[0])
        else:
            self.ordered(wa, ga)
        self.human(w[3] or b"", g[3] or b"")

    def human(self, want, got):
        if b"..." in want:
            rx = b".*".join(map(re.escape, want.split(b"...")))
            if not re.fullmatch(rx, got, re.S):
                raise Mismatch(f"wanted {want!r}, got {got!r}")
        else:
            self.word(want, got)

    def response(self, want, got):
        if want.startswith(b"+"):
            if not got.startswith(b"+ "):
                raise Mismatch("no continuation")
            if want not in (b"+ ...", b"+"):
                self.human(want, got)
            return
        wt, _, wr = want.partition(b" ")
        gt, _, gr = got.partition(b" ")
        self.word(wt, gt, fold=False)
        w1, _, wrest = wr.partition(b" ")
        g1, _, grest = gr.partition(b" ")
        if g1.upper() in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            self.word(w1, g1)
            self.text(wrest, grest)
            return
        w, g = tokens(wr), tokens(gr)
        self.data(w, g)

    def data(self, w, g):
        kind = g[0][1].upper()
        if w[0] is ANY:
            return
        self.token(w[0], g[0])
        w, g = w[1:], g[1:]
        if w == [ANY]:
            return
        if kind in (b"CAPABILITY", b"ENABLED"):
            self.unordered(w, g)
        elif kind == b"FLAGS":
            self.ordered_lists(w, g)
        elif kind in (b"LIST", b"LSUB"):
            self.mailbox_list(w, g)
        elif kind == b"STATUS":
            self.name(w[0], g[0])
            self.pairs(w[1], g[1])
        elif kind == b"SEARCH":
            self.unordered(w, g)
        elif kind == b"ESEARCH":
            if g and isinstance(g[0], list):
                self.ordered(w[:1], g[:1])
                w, g = w[1:], g[1:]
            uid = ("atom", b"UID")
            if (uid in w[:1]) != (uid in g[:1]):
                raise Mismatch("UID indicator")
            cut = 1 if uid in w[:1] else 0
            self.pairs(w[cut:], g[cut:])
        elif len(g) == 2 and not isinstance(g[0], list) \
                and g[0][1].upper() in (b"FETCH", b"UIDFETCH"):
            self.ordered(w[:1], g[:1])
            if len(w) != 2:
                raise Mismatch("no list")
            if w[1] is not ANY:
                self.pairs(w[1], g[1])
        else:
            self.ordered(w, g)

    def ordered_lists(self, w, g):
        if len(w) != 1 or len(g) != 1:
            raise Mismatch("FLAGS")
        self.unordered(w[0], g[0])

    def mailbox_list(self, w, g):
        if len(g) not in (3, 4) or len(w) != len(g):
            raise Mismatch("LIST")
        self.unordered(w[0], g[0])
        self.token(w[1], g[1])
        self.name(w[2], g[2])
        if len(w) == 4:
            self.extended(w[3], g[3])

    def extended(self, want, got):
        """LIST's extended data: tags are astrings, in any order."""
        def one(w, g):
            if w[0][1].upper() != g[0][1].upper():
                raise Mismatch("tag")
            if w[0][1].upper() == b"OLDNAME":
                self.name(w[1][0], g[1][0])
            else:
                self.unordered(w[1], g[1])

        self.unordered([want[i:i + 2] for i in range(0, len(want), 2)],
                       [got[i:i + 2] for i in range(0, len(got), 2)], one)


def item_name(token):
    """BODY[HEADER.FIELDS ("Date" from)]<0> -> one form for comparing."""
    if isinstance(token, list) or token is ANY:
        raise Mismatch("no item name")
    return token[1].replace(b'"', b"").upper()


def folded(token):
    """Strings of a body structure in upper case."""
    if isinstance(token, list):
        return [folded(t) for t in token]
    return token if token is ANY else (token[0], token[1].upper())
