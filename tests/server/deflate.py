"""Compression as a client does it (RFC 4978), told apart from everything else by zlib of
Python alone: an oracle for the server's own way of finding where a stream ends.

`Wire` stands between a connection and its socket and follows what the client says:
`COMPRESS DEFLATE` with OK turns compression on, and `UNAUTHENTICATE` turns the client's
half off behind its CRLF and the server's behind the CRLF of the OK (RFC 8437 section 4.1).
"""

import random
import re
import zlib

LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
WORDS = re.compile(rb"(\S+) (UNAUTHENTICATE|COMPRESS DEFLATE|IDLE)\r\n\Z", re.I)
MARK = b"\x00\x00\xff\xff"          # how a sync or full flush ends
ENDINGS = [[zlib.Z_SYNC_FLUSH], [zlib.Z_FULL_FLUSH], [zlib.Z_FINISH],
           [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH]]
STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE,
              zlib.Z_FIXED]


def deflater(level=None, strategy=None, window=None):
    return zlib.compressobj(
        random.randint(0, 9) if level is None else level, zlib.DEFLATED,
        -(window or random.randint(9, 15)), random.randint(1, 9),
        random.choice(STRATEGIES) if strategy is None else strategy)


class Wire:
    def __init__(self):
        self.deflate = self.inflate = None
        self.options = {}       # of deflater(); what is not given is drawn
        self.ending = None      # one of ENDINGS, or drawn
        self.line = b""         # the client's last one, as far as it was sent
        self.literal = 0        # bytes of a literal still to come from the client
        self.announced = None   # a literal that waits for "+"
        self.is_idle = False
        self.entering = self.leaving = None     # tags
        self.heard = b""        # the server's bytes since one of them was set, or its last line
        self.tail = b""         # raw bytes
        self.is_told = False

    # -- what the client sends ----------------------------------------------
    def encode(self, data):
        if self.announced is not None:
            if self.heard.rsplit(b"\n", 1)[-1].startswith(b"+") or \
                    re.search(rb"(\A|\n)\+[^\n]*\n\Z", self.heard):
                self.literal = self.announced
            self.announced = None
        raw = b""
        while data:
            if self.literal:
                piece = data[:self.literal]
                self.literal -= len(piece)
            else:
                end = data.find(b"\n")
                piece = data if end < 0 else data[:end + 1]
                self.line += piece
            data = data[len(piece):]
            raw += self.deflate.compress(piece) if self.deflate else piece
            if self.line.endswith(b"\n"):
                raw += self.end_of_line(self.line)
                self.line = b""
        if self.deflate:
            raw += self.deflate.flush(zlib.Z_SYNC_FLUSH)
        return raw

    def end_of_line(self, line):
        """What goes out behind a line."""
        if self.is_idle:
            self.is_idle = False
            return b""
        literal, words = LITERAL.search(line), WORDS.match(line)
        if literal and literal[2]:
            self.literal = int(literal[1])
        elif literal:
            self.announced, self.heard = int(literal[1]), b""
        if not words:
            return b""
        tag, word = words[1], words[2].upper()
        self.is_idle = word == b"IDLE"
        if word == b"COMPRESS DEFLATE" and not self.inflate:
            self.entering, self.heard = tag, b""
        if word != b"UNAUTHENTICATE" or not self.deflate:
            return b""
        steps = self.ending or random.choice(ENDINGS)
        raw = b"".join(self.deflate.flush(step) for step in steps)
        self.deflate, self.leaving, self.is_told = None, tag, False
        return raw

    # -- what the server sends ----------------------------------------------
    def decode(self, raw):
        if not self.inflate:
            return self.plain(raw)
        if not self.leaving:
            self.tail = (self.tail + raw)[-4:]
            data = self.inflate.decompress(raw)
            assert not self.inflate.unused_data
            self.heard = (self.heard + data)[-200:]
            return data
        return self.last(raw)

    def answer(self, tag):
        return re.search(rb"(?:\A|\n)%s ([A-Z]+) [^\n]*\n" % re.escape(tag), self.heard)

    def plain(self, raw):
        before = len(self.heard)
        self.heard += raw
        if not self.entering:
            self.heard = self.heard[-200:]
            return raw
        m = self.answer(self.entering)
        if not m:
            return raw
        self.entering = None
        if m[1] != b"OK":
            return raw
        self.deflate, self.inflate = deflater(**self.options), zlib.decompressobj(-15)
        self.tail = b""
        own = raw[:m.end() - before]
        return own + self.decode(raw[len(own):])

    def last(self, raw):
        """Up to the end of the server's stream, a byte at a time."""
        out = b""
        for i in range(len(raw)):
            self.tail = (self.tail + raw[i:i + 1])[-4:]
            data = self.inflate.decompress(raw[i:i + 1])
            assert not (data and self.is_told), f"compressed behind the OK: {data!r}"
            out += data
            self.heard = (self.heard + data)[-65536:]
            if data.endswith(b"\n"):
                m = self.answer(self.leaving)
                assert not m or m[1] == b"OK", m[0]
                self.is_told = m is not None
            if self.is_told and self.tail == MARK:
                self.inflate = self.leaving = None
                return out + self.plain(raw[i + 1:])
        return out
