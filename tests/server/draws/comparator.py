"""COMPARATOR (RFC 5255): searches that depend on it are in KEYS."""

KEYS = ['SUBJECT "MEET"', 'FROM "ANN"', 'BODY "HELLO"']


def commands(m):
    names = [b"", b" i;octet", b" i;ascii-casemap", b" default", b' "*"', b" i;none", b' "i;*"']
    return [lambda: b"COMPARATOR" + m.rng.choice(names)]
