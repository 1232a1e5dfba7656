"""COMPRESS as it is refused; compressed connections are drawn by random_pairs.py."""


def commands(m):
    return [lambda: b"COMPRESS GZIP", lambda: b"COMPRESS", lambda: b"COMPRESS DEFLATE x"]
