"""Messages that clients carry around: our own, and those of MAILSTILE_CORPUS."""

import os
import pathlib
import re

OWN = pathlib.Path(__file__).parent.parent / "server" / "mail"


def messages():
    """[(name, bytes with LF line ends)]: what a Maildir can hold without change."""
    paths = sorted(OWN.glob("*.eml"))
    corpus = os.environ.get("MAILSTILE_CORPUS")
    if corpus:
        paths += sorted(p for p in pathlib.Path(corpus).rglob("*.eml") if p.is_file())
    out = []
    for p in paths:
        data = p.read_bytes().replace(b"\r\n", b"\n")
        # A NUL cannot be sent in a literal (RFC 9051 section 9, CHAR8), a bare CR is
        # no line end of a Maildir, and a file without header, or without the empty line
        # that ends it, is no message for mbsync: it adds what is missing itself.
        if (b"\0" in data or b"\r" in data or b"\n\n" not in data
                or not re.match(rb"[!-9;-~]+[ \t]*:", data)):
            continue
        out.append((str(p), data))
    return out


def crlf(data):
    return data.replace(b"\n", b"\r\n")
