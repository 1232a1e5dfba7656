"""What ESEARCH (RFC 7377) adds to the random generator."""

SOURCES = [b"selected", b"personal", b"inboxes", b"subscribed", b"mailboxes INBOX",
           b"selected-delayed"]
ANSWERS = [b"", b"", b"RETURN () ", b"RETURN (MIN COUNT) ", b"RETURN (SAVE) ",
           b"RETURN (PARTIAL -1:-2) "]
WHICH = [b"ALL", b"UNSEEN", b"1:3", b"TEXT e", b"NOT SEEN", b"$", b"SUBJECT a", b"UID 1:2",
         b"900:*"]


def commands(m):
    def source():
        kind = m.rng.random()
        if kind < .3:
            return m.rng.choice([b"mailboxes ", b"subtree ", b"subtree-one "]) + m.box()
        return m.rng.choice(SOURCES)

    def esearch():
        out = b"ESEARCH "
        if m.rng.random() < .8:
            out += b"IN (" + b" ".join(source() for _ in range(m.rng.randint(1, 2))) + b") "
        return out + m.rng.choice(ANSWERS) + m.rng.choice(WHICH)

    return [esearch]
