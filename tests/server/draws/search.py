"""What SEARCH's extensions, SORT and THREAD add to the random generator."""

KEYS = ["OLDER 86400", "YOUNGER 3600", "NOT OLDER 100000000"]
RETURNS = ["PARTIAL 1:3", "PARTIAL -1:-2", "CONTEXT"]
CRITERIA = [b"DATE", b"REVERSE DATE", b"SUBJECT", b"FROM SIZE", b"REVERSE TO CC", b"ARRIVAL",
            b"DISPLAYFROM", b"REVERSE DISPLAYTO DATE", b"REVERSE"]
WHICH = [b"ALL", b"UNSEEN", b"1:3", b"TEXT e", b"NOT SEEN", b"$", b"SUBJECT a"]


def commands(m):
    def some(of):
        return m.rng.choice(of)

    def charset():
        return some([b"UTF-8", b"UTF-8", b"US-ASCII", b"X-NONE"])

    def sort():
        returns = some([b"", b"", b"RETURN () ", b"RETURN (MIN COUNT) ", b"RETURN (SAVE ALL) ",
                        b"RETURN (PARTIAL 2:3) "])
        return m.uid() + b"SORT " + returns + b"(" + some(CRITERIA) + b") " + charset() \
            + b" " + some(WHICH)

    def thread():
        return m.uid() + b"THREAD " + some([b"REFERENCES", b"ORDEREDSUBJECT"]) + b" " \
            + charset() + b" " + some(WHICH)

    def context():
        return m.uid() + b"SEARCH RETURN (" + some([b"UPDATE", b"UPDATE ALL", b"UPDATE COUNT",
                                                    b"UPDATE CONTEXT", b"CONTEXT ALL"]) \
            + b") " + some(WHICH)

    def cancel():
        return b"CANCELUPDATE" + b"".join(b' "t%d"' % m.rng.randint(1, 12) for _ in
                                          range(m.rng.randint(0, 2)))

    return [sort, sort, thread, context, context, cancel]
