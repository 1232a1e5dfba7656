"""CONDSTORE, QRESYNC, UIDONLY and FETCH (PARTIAL) for the random generator."""
ITEMS = ["MODSEQ"]
KEYS = ["MODSEQ 1", "MODSEQ 9", "MODSEQ 99999999", 'MODSEQ "/flags/\\\\seen" all 4']
STATUS = ["HIGHESTMODSEQ"]
ENABLE = ["CONDSTORE", "QRESYNC", "QRESYNC", "UIDONLY"]
SELECT_PARAMS = ["CONDSTORE", "QRESYNC (1 1)", "QRESYNC (1 5 1:3 (1:2 1,2))", "QRESYNC (x)"]
SINCE = [b"0", b"1", b"4", b"7", b"9", b"12", b"99999", b"x"]
MODIFIERS = [b"CHANGEDSINCE %s", b"CHANGEDSINCE %s VANISHED", b"VANISHED CHANGEDSINCE %s",
             b"PARTIAL -1:-2 CHANGEDSINCE %s", b"PARTIAL 1:2 CHANGEDSINCE %s",
             b"PARTIAL 2:0 CHANGEDSINCE %s"]


def commands(m):
    def fetch():
        how = m.rng.choice(MODIFIERS) % m.rng.choice(SINCE)
        return m.uid() + b"FETCH " + m.set() + b" (FLAGS) (" + how + b")"

    def store():
        sign = m.rng.choice([b"", b"+", b"-"]) + b"FLAGS" + m.rng.choice([b"", b".SILENT"])
        return (m.uid() + b"STORE " + m.set() + b" (UNCHANGEDSINCE " + m.rng.choice(SINCE)
                + b") " + sign + b" " + m.flags())

    return [fetch, store]
