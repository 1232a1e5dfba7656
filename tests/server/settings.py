"""Changes of mailstile.yaml for tests, line by line: the file is what `init` wrote."""

import re


def both(*changes):
    def change(text):
        for c in changes:
            text = c(text)
        return text
    return change


def limit(key, value):
    """The one line `key: ...` of the file gets another value."""
    def change(text):
        new, n = re.subn(rf"(?m)^(\s*{re.escape(key)}:\s*)[^#\n]*", rf"\g<1>{value} ", text)
        assert n == 1, f"{n} lines {key!r} in:\n{text}"
        return new
    return change


def gate(value, listener=None):
    """`unauthenticate:` of one listener, or of all."""
    def change(text):
        here, out, n = None, [], 0
        for line in text.split("\n"):
            if m := re.match(r"\s*-?\s*name:\s*(\S+)", line):
                here = m[1]
            if re.match(r"\s*-?\s*unauthenticate:", line) and listener in (None, here):
                line = re.sub(r"(unauthenticate:\s*)\S+", rf"\g<1>{value}", line)
                n += 1
            out.append(line)
        assert n, text
        return "\n".join(out)
    return change


# For tests that are wrong on purpose again and again, from one address.
PATIENT = both(limit("bad-commands", 1000000), limit("failed-logins", 1000),
               limit("free-failures", 1000))
