"""URLAUTH (RFC 4467): tokens differ from user to user and are not compared, nor used."""


def commands(m):
    url = lambda: b'"imap://%s/INBOX/;UID=1%s;URLAUTH=%s"' % (               # noqa: E731
        m.rng.choice([b"x@y", b"$USER@localhost"]), m.rng.choice([b"", b"/;SECTION=TEXT"]),
        m.rng.choice([b"anonymous", b"authuser", b"user+x", b"user+$USER", b"submit+x"]))
    return [lambda: b'URLFETCH "imap://x@y/INBOX/;UID=1" "nothing"',
            lambda: b"URLFETCH " + url(), lambda: b"GENURLAUTH " + url() + b" INTERNAL",
            lambda: b"RESETKEY " + m.box(), lambda: b"RESETKEY"]
