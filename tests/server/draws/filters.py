"""What FILTERS (RFC 5466) adds to the random generator."""

KEYS = ["FILTER f1", "NOT FILTER f2", "FILTER none"]
VALUES = [b"SEEN", b"FILTER f2", b"OR SMALLER 600 SUBJECT a", b"FILTER f1", b"OR SEEN", b"1:2"]


def commands(m):
    def store():
        value = m.rng.choice(VALUES)
        name = m.rng.choice([b"f1", b"f2"])
        if m.rng.random() < .2:
            return b'SETMETADATA "" (/private/filters/values/%s NIL)' % name
        return b'SETMETADATA "" (/private/filters/values/%s "%s")' % (name, value)

    return [store]
