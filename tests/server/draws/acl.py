"""ACL and LIST-MYRIGHTS (RFC 4314, 8440), and names that are others'.  Not "anyone": the generator's
users would see one another."""


def commands(m):
    who = lambda: m.rng.choice([b"bob", b"carol", b"-bob", b"$staff"])                  # noqa: E731
    rights = lambda: m.rng.choice([b"lr", b"+ws", b"-r", b'""', b"+cd", b"lrswipkxtea"])  # noqa: E731
    others = lambda: m.rng.choice([b'"Other Users/bob/INBOX"', b"Shared/x/y", m.box()])   # noqa: E731
    return [lambda: b"SETACL " + others() + b" " + who() + b" " + rights(),
            lambda: b"DELETEACL " + others() + b" " + who(),
            lambda: b"GETACL " + m.box(),
            lambda: b"LISTRIGHTS " + others() + b" " + who(),
            lambda: b"MYRIGHTS " + others(),
            lambda: b"SUBSCRIBE " + others(),
            lambda: b"CREATE " + others(),
            lambda: b'LIST "" ' + m.rng.choice([b'"*"', b'"Other*"']) +
            b" RETURN (MYRIGHTS STATUS (MESSAGES))"]
