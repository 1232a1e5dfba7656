"""UTF8=ACCEPT (RFC 9755): names and texts in UTF-8, APPEND UTF8 (...)."""

from harness import eml

ENABLE = ["UTF8=ACCEPT"]


def commands(m):
    names = ['"Entwürfe"', '"a&b"', '"Ärger"']
    message = eml("smtputf8")
    return [lambda: f"CREATE {m.rng.choice(names)}".encode(),
            lambda: f"STATUS {m.rng.choice(names)} (MESSAGES)".encode(),
            lambda: m.uid() + "SEARCH SUBJECT \"grüße\"".encode(),
            lambda: b"APPEND " + m.box() + b" UTF8 (~{%d+}\r\n%s)" % (len(message), message),
            lambda: b"APPEND " + m.box() + b" {%d+}\r\n%s" % (len(message), message)]
