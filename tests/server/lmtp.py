"""LMTP by hand: a connection that shows every reply, and listeners for a site."""

import contextlib
import re
import socket

from harness import TIMEOUT, b


def listen(text):
    """Two LMTP listeners in mailstile.yaml: on a loopback port and on a Unix socket."""
    mine = ('  - name: lmtp\n    protocol: lmtp\n    address: 127.0.0.1\n    port: 0\n'
            '    tls: none\n'
            '  - name: lmtp-socket\n    protocol: lmtp\n    address: "unix:lmtp.socket"\n'
            '    socket-access: owner\n    tls: none\n')
    assert text.count("\nlisteners:\n") == 1
    return text.replace("\nlisteners:\n", "\nlisteners:\n" + mine)


class Answer:
    """One reply: its code, its enhanced code and its lines without codes."""

    def __init__(self, lines):
        self.lines = lines
        m = re.match(r"(\d{3})[ -](?:(\d\.\d+\.\d+) )?(.*)", lines[-1])
        self.code, self.enhanced, self.text = int(m[1]), m[2], m[3]

    def __repr__(self):
        return "\n".join(self.lines)


class Lmtp:
    def __init__(self, site, unix=False, hello=True, timeout=TIMEOUT):
        if unix:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(str(site.dir / "lmtp.socket"))
        else:
            self.sock = socket.create_connection(("127.0.0.1", site.ports["lmtp"]), timeout)
        self.rx = b""
        self.greeting = self.reply()
        if hello:
            self.say("LHLO mx.example.org", 250)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def send(self, data):
        self.sock.sendall(b(data))

    def line(self):
        while b"\n" not in self.rx:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.rx)
            self.rx += data
        line, _, self.rx = self.rx.partition(b"\n")
        assert line.endswith(b"\r") and len(line) < 512 + 600, line
        return line[:-1].decode()

    def reply(self, code=None, enhanced=None):
        lines = [self.line()]
        while lines[-1][3] == "-":
            lines.append(self.line())
            assert lines[-1][:3] == lines[0][:3], lines
        got = Answer(lines)
        assert code is None or got.code == code, got
        assert enhanced is None or got.enhanced == enhanced, got
        return got

    def say(self, line, code=None, enhanced=None):
        self.send(b(line) + b"\r\n")
        return self.reply(code, enhanced)

    def expect_eof(self):
        assert self.rx == b"" and self.sock.recv(1) == b""

    def begin(self, *to, sender="sender@example.org", params=""):
        """Up to 354."""
        self.say(f"MAIL FROM:<{sender}>{params}", 250, "2.1.0")
        for address in to:
            self.say(f"RCPT TO:<{address}>", 250, "2.1.5")
        self.say("DATA", 354)

    def end(self, n=1, code=None, enhanced=None):
        return [self.reply(code, enhanced) for _ in range(n)]

    def deliver(self, message, *to, code=250, enhanced="2.0.0", **kw):
        """A whole transaction; the replies behind the message."""
        self.begin(*to, **kw)
        self.send(stuffed(message) + b".\r\n")
        return self.end(len(to), code, enhanced)


def stuffed(message):
    """A message as DATA wants it: a line ends with CRLF and nothing else."""
    return b"\r\n".join(b"." + line if line.startswith(b".") else line
                        for line in b(message).split(b"\r\n"))


def mails(site, user, mailbox="INBOX"):
    """Every message of a mailbox, in order, as it was stored: BINARY, since a NUL cannot
    stand in the literal of BODY[] and is shown there as 0x80."""
    with site.session(user) as k:
        count = k.select(mailbox, examine=True).exists
        out = []
        for i in range(1, count + 1):
            r = k.ok(f"FETCH {i} BINARY.PEEK[]")
            m = re.match(rb"\* \d+ FETCH \(BINARY\[\] ~?\{(\d+)\}\r\n", r.untagged[0])
            out.append(r.untagged[0][m.end():][:int(m[1])])
        return out


HEADER = re.compile(rb"Return-Path: <([^>]*)>\r\nDelivered-To: ([^\r]*)\r\n"
                    rb"(?:Delivered-To: [^\r]*\r\n)*"
                    rb"Received: from (\S+) (\([^)]*\)|\(\[[^]]*\]\))\r\n\tby (\S+) with (\S+) id (\d+-\d+)"
                    rb"(?:\r\n\tfor <([^>]*)>; |;\r\n\t)(\w{3}, \d+ \w{3} \d{4} [\d:]{8} \+0000)\r\n")


def body(mail):
    """What came behind the header that the server puts before a message."""
    m = HEADER.match(mail)
    assert m, mail[:400]
    return mail[m.end():]
