"""URLAUTH (RFC 4467): tokens differ from user to user, so only what has none is drawn."""


def commands(m):
    return [lambda: b'URLFETCH "imap://x@y/INBOX/;UID=1" "nothing"',
            lambda: b"RESETKEY " + m.box(), lambda: b"RESETKEY"]
