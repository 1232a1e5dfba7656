"""QUOTA (RFC 9208)."""
STATUS = ["DELETED-STORAGE"]


def commands(m):
    limits = [b"", b"STORAGE 4", b"MESSAGE 6", b"MAILBOX 4", b"MESSAGE 3 STORAGE 100", b"PONIES 3"]
    return [lambda: b"GETQUOTAROOT " + m.box(), lambda: b'GETQUOTA ""',
            lambda: b"SETQUOTA #user/$USER (" + m.rng.choice(limits) + b")"]
