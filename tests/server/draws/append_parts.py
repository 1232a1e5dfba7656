"""CATENATE and REPLACE (RFC 4469, 8508)."""


def commands(m):
    url = lambda: m.rng.choice([b'";UID=1"', b'"/INBOX/;UID=2/;SECTION=TEXT"', b'"/INBOX/;UID=9"',   # noqa: E731
                                b'"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)"',
                                b'"/INBOX/;UID=1/;PARTIAL=3.5"', b'"imap://x/INBOX/;UID=1"'])
    text = lambda: m.rng.choice([b"", b"TEXT {3+}\r\nabc "])                                          # noqa: E731
    parts = lambda: b"CATENATE (" + text() + b"URL " + url() + b")"                                  # noqa: E731
    number = lambda: b"%d" % m.rng.randint(1, 6)                                                     # noqa: E731
    return [lambda: b"APPEND " + m.box() + b" " + parts(),
            lambda: m.uid() + b"REPLACE " + number() + b" " + m.box() + b" " + parts(),
            lambda: m.uid() + b"REPLACE " + number() + b" " + m.box()
            + b" (\\Seen) {3+}\r\nabc"]
