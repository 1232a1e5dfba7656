"""METADATA and LIST-METADATA (RFC 5464, 9590)."""
ENABLE = ["METADATA", "METADATA-SERVER"]


def commands(m):
    entry = lambda: m.rng.choice([b"/private/comment", b"/shared/comment", b"/private/a/b",  # noqa: E731
                                  b"/shared/vendor/x/y", b"/private/specialuse"])
    value = lambda: m.rng.choice([b'"x"', b'"longer value"', b"NIL", b'""'])                 # noqa: E731
    box = lambda: m.rng.choice([m.box(), b'""'])                                             # noqa: E731
    return [lambda: b"SETMETADATA " + box() + b" (" + entry() + b" " + value() + b")",
            lambda: b"GETMETADATA " + box() + b" (DEPTH infinity) (/private /shared)",
            lambda: b"GETMETADATA (MAXSIZE 3) " + box() + b" " + entry(),
            lambda: b'LIST "" "*" RETURN (METADATA (' + entry() + b"))"]
