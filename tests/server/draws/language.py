"""LANGUAGE (RFC 5255)."""


def commands(m):
    names = [b"", b" de", b" fr", b" xx", b" default", b" de-AT en"]
    return [lambda: b"LANGUAGE" + m.rng.choice(names)]
