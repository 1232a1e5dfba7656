"""NOTIFY as it is refused, and as it takes the client's own wishes back.

What the server tells by itself comes when it comes, so a registration is not drawn here:
its bytes would differ in their order from run to run.  test_notify.py has it.
"""


def commands(m):
    return [lambda: b"NOTIFY NONE",
            lambda: b"NOTIFY SET (personal (Ponies))",
            lambda: b"NOTIFY SET (personal (FlagChange))",
            lambda: b"NOTIFY SET (selected (MailboxName))",
            lambda: b"NOTIFY"]
