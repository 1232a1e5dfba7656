"""QUOTA (RFC 9208)."""
STATUS = ["DELETED-STORAGE"]


def commands(m):
    return [lambda: b"GETQUOTAROOT " + m.box(), lambda: b'GETQUOTA ""']
