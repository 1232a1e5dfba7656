"""What the random generator draws of MOVE and UID EXPUNGE (RFC 6851, 4315)."""


def commands(m):
    return [lambda: m.uid() + b"MOVE " + m.set() + b" " + m.box(),
            lambda: b"UID EXPUNGE " + m.set(),
            lambda: m.uid() + b"STORE " + m.set() + b" +FLAGS (\\Deleted)"]
