"""NOTIFY (RFC 5465).  What it tells comes when it comes: where a registration may be drawn
(m.is_notified) random_pairs.py waits for it behind each change by others."""

EVENTS = [b"", b"(MessageNew MessageExpunge)", b"(MessageNew MessageExpunge FlagChange)",
          b"(MailboxName)", b"(MailboxName SubscriptionChange)",
          b"(MessageNew MessageExpunge MailboxName)", b"(MailboxMetadataChange)",
          b"(ServerMetadataChange)", b"NONE", b"(MessageNew)", b"(AnnotationChange)"]
SELECTED = [b"(MessageNew MessageExpunge)", b"(MessageNew MessageExpunge FlagChange)",
            b"(MessageNew (UID FLAGS) MessageExpunge)",
            b"(MessageNew (BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge FlagChange)",
            b"NONE"]


def commands(m):
    some = m.rng.choice

    def group():
        which = some([b"selected", b"selected", b"selected-delayed", b"inboxes", b"personal",
                      b"personal", b"subscribed", b"subtree", b"mailboxes"])
        if which.startswith(b"selected"):
            return b"(" + which + b" " + some(SELECTED) + b")"
        if which in (b"subtree", b"mailboxes"):
            which += b" " + some([m.box(), b"(a b)", b"(INBOX a)"])
        return b"(" + which + b" " + some(EVENTS) + b")"

    def register():
        out = b"NOTIFY SET " + some([b"", b"STATUS "])
        return out + b" ".join(group() for _ in range(m.rng.randint(1, 3)))

    wrong = [lambda: b"NOTIFY NONE",
             lambda: b"NOTIFY SET (personal (Ponies))",
             lambda: b"NOTIFY SET (personal (FlagChange))",
             lambda: b"NOTIFY SET (selected (MailboxName))",
             lambda: b"NOTIFY"]
    return wrong + [register] * 15 if m.is_notified else wrong
