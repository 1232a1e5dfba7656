"""\\Seen in shared mailboxes is each user's own (RFC 4314 section 4): the owner's is the
mailbox's, any other user has his own, with MODSEQs that nobody else is told."""

import random
import re

import pytest

from harness import eml, run


def other(owner, name="box"):
    return f'"Other Users/{owner}/{name}"'


class Shared:
    """Ann's mailbox "box" with three messages, that ben and cid may read and mark."""

    def __init__(self, site, n=3):
        self.site = site
        self.ann, self.ben, self.cid = (site.new_user() for _ in range(3))
        with site.session(self.ann) as a:
            a.ok("CREATE box")
            for who in (self.ben, self.cid):
                a.ok(f"SETACL box {who} lrswite")
            for _ in range(n):
                a.append("box", eml("plain"))
        self.box = other(self.ann)
        self.open = []

    def session(self, who, select=True, enable=""):
        c = self.site.session(getattr(self, who))
        if enable:
            c.ok(f"ENABLE {enable}")
        if select:
            c.select("box" if who == "ann" else self.box)
        self.open.append(c)
        return c

    def close(self):
        for c in self.open:
            c.close()


@pytest.fixture
def s(site):
    s = Shared(site)
    yield s
    s.close()


def seen(c):
    return {int(m[1]) for m in c.ok("UID FETCH 1:* FLAGS").find(
        rb"\* \d+ FETCH \(.*UID (\d+).*FLAGS \([^)]*\\Seen|\* \d+ FETCH \(FLAGS \([^)]*\\Seen.*UID (\d+)")
        if m[1]} | {int(m[2]) for m in c.ok("UID FETCH 1:* FLAGS").find(
            rb"\* \d+ FETCH \(FLAGS \([^)]*\\Seen[^)]*\) UID ((\d+))\)")}


def unseen(c, box):
    return int(c.ok(f"STATUS {box} (UNSEEN)").one(rb".*UNSEEN (\d+)")[1])


def test_each_has_his_own(s):
    a, b, c = (s.session(w) for w in ("ann", "ben", "cid"))
    b.ok("STORE 1 +FLAGS (\\Seen)")
    a.ok("STORE 2 +FLAGS (\\Seen)")
    c.ok("FETCH 3 BODY[]")
    assert (seen(a), seen(b), seen(c)) == ({2}, {1}, {3})
    for who in (a, b, c):
        assert who.ok("NOOP").untagged == []
    b.ok("STORE 1:* -FLAGS (\\Seen)")
    assert (seen(a), seen(b), seen(c)) == ({2}, set(), {3})


def test_counts_and_searches_are_his_own(s):
    a, b = s.session("ann"), s.session("ben")
    b.ok("STORE 1:2 +FLAGS (\\Seen \\Flagged)")
    assert b.ok("SEARCH UNSEEN").untagged == [b"* SEARCH 3"]
    assert b.ok("SEARCH SEEN FLAGGED").untagged == [b"* SEARCH 1 2"]
    assert a.ok("SEARCH UNSEEN").untagged[0] == b"* SEARCH 1 2 3"
    assert unseen(b, s.box) == 1 and unseen(a, "box") == 3
    r = b.ok(f'LIST "" {s.box} RETURN (STATUS (UNSEEN))')
    assert r.untagged[-1].endswith(b"(UNSEEN 1)")
    assert b.select(s.box).one(rb"\* OK \[UNSEEN (\d+)\]")[1] == b"3"
    assert a.select("box").one(rb"\* OK \[UNSEEN (\d+)\]")[1] == b"1"


def test_two_connections_of_one_user_see_the_same(s):
    b, d, c = s.session("ben"), s.session("ben"), s.session("cid")
    b.ok("STORE 2 +FLAGS.SILENT (\\Seen)")
    assert d.ok("NOOP").one(rb"\* 2 FETCH \(FLAGS \(([^)]*)\)\)")[1].split()[0] == b"\\Seen"
    assert c.ok("NOOP").untagged == []


def test_other_flags_are_everybodys(s):
    a, b = s.session("ann"), s.session("ben")
    b.ok("STORE 1 FLAGS (\\Seen \\Flagged key)")
    r = a.ok("NOOP").one(rb"\* 1 FETCH \(FLAGS \(([^)]*)\)\)")
    assert set(r[1].split()) - {b"\\Recent"} == {b"\\Flagged", b"key"}
    a.ok("STORE 1 FLAGS (\\Seen)")
    r = b.ok("NOOP").one(rb"\* 1 FETCH \(FLAGS \(([^)]*)\)\)")
    assert set(r[1].split()) - {b"\\Recent"} == {b"\\Seen"}
    b.ok("STORE 1 FLAGS ()")
    assert seen(b) == set() and seen(a) == {1}


def modseq(c, uid):
    c.ok("NOOP")
    return int(c.ok(f"UID FETCH {uid} (MODSEQ)").one(rb".*MODSEQ \((\d+)\)")[1])


def test_modseqs_are_raised_for_who_changed_it_alone(s):
    b, c = s.session("ben", enable="CONDSTORE"), s.session("cid", enable="CONDSTORE")
    d = s.session("ben", enable="CONDSTORE")
    was, c_was = modseq(b, 1), modseq(c, 1)
    high = int(c.ok(f"STATUS {s.box} (HIGHESTMODSEQ)").one(rb"\* STATUS .*HIGHESTMODSEQ (\d+)")[1])
    b.ok("STORE 1 +FLAGS (\\Seen)")
    now = modseq(b, 1)
    assert now > was and modseq(d, 1) == now and modseq(c, 1) == c_was
    assert int(b.ok(f"STATUS {s.box} (HIGHESTMODSEQ)").one(
        rb"\* STATUS .*HIGHESTMODSEQ (\d+)")[1]) == now
    assert int(c.ok(f"STATUS {s.box} (HIGHESTMODSEQ)").one(
        rb"\* STATUS .*HIGHESTMODSEQ (\d+)")[1]) == high
    assert c.ok("NOOP").untagged == []
    # UNCHANGEDSINCE is about what he sees himself
    r = b.cmd(f"STORE 1 (UNCHANGEDSINCE {was}) -FLAGS (\\Seen)")
    assert r.code == "MODIFIED 1"
    c.ok(f"STORE 1 (UNCHANGEDSINCE {c_was}) +FLAGS (\\Seen)")
    assert seen(b) == seen(c) == {1}
    # a flag of all's, and then his own is newer again
    c.ok("STORE 1 +FLAGS (\\Flagged)")
    b.ok("NOOP")
    after = modseq(b, 1)
    assert after > now
    b.ok("STORE 1 -FLAGS (\\Seen)")
    assert modseq(b, 1) > after
    assert b.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {after})").find(rb"\* 1 FETCH")


def test_qresync_tells_each_what_he_missed(s):
    b = s.session("ben", enable="QRESYNC")
    r = b.select(s.box)
    validity = r.one(rb"\* OK \[UIDVALIDITY (\d+)\]")[1].decode()
    since = r.one(rb"\* OK \[HIGHESTMODSEQ (\d+)\]")[1].decode()
    b.ok("UNSELECT")
    d, c = s.session("ben"), s.session("cid")
    d.ok("STORE 2 +FLAGS (\\Seen)")
    c.ok("STORE 3 +FLAGS (\\Seen)")
    r = b.ok(f"SELECT {s.box} (QRESYNC ({validity} {since}))")
    told = r.find(rb"\* (\d+) FETCH \(UID \d+ FLAGS \(([^)]*)\)")
    assert [(m[1], b"\\Seen" in m[2]) for m in told] == [(b"2", True)]


def test_idle_and_expunge(s):
    b, d = s.session("ben"), s.session("ben")
    d.send(b"i IDLE\r\n")
    assert d.line().startswith(b"+")
    b.ok("STORE 3 +FLAGS (\\Seen)")
    assert d.line().startswith(b"* 3 FETCH (FLAGS (\\Seen")
    b.ok("STORE 1 +FLAGS (\\Seen \\Deleted)")
    b.ok("EXPUNGE")
    d.send(b"DONE\r\n")
    assert unseen(b, s.box) == 1
    assert seen(b) == {3}
    a = s.session("ann")
    a.append("box", eml("plain"))
    b.ok("NOOP")
    assert seen(b) == {3} and unseen(b, s.box) == 2


def test_what_one_puts_there_is_seen_by_him_as_he_says(s):
    a, b, c = (s.session(w) for w in ("ann", "ben", "cid"))
    b.append(s.box, eml("plain"), "(\\Seen)")
    for who in (a, b, c):
        who.ok("NOOP")
    assert (seen(a), seen(b), seen(c)) == (set(), {4}, set())
    a.append("box", eml("plain"), "(\\Seen)")
    for who in (a, b, c):
        who.ok("NOOP")
    assert (seen(a), seen(b), seen(c)) == ({5}, {4}, set())
    # COPY carries what he sees: to his own mailbox, and back, and within
    b.ok("STORE 1 +FLAGS (\\Seen)")
    b.ok("CREATE mine")
    b.ok("COPY 1:2 mine")
    b.ok(f"COPY 1:2 {s.box}")
    a.ok("NOOP")
    c.ok("NOOP")
    assert seen(b) == {1, 4, 6} and seen(a) == {5} and seen(c) == set()
    b.select("mine")
    assert seen(b) == {1}
    b.ok(f"MOVE 1:2 {s.box}")
    b.select(s.box)
    assert seen(b) == {1, 4, 6, 8}
    a.ok("NOOP")
    assert seen(a) == {5}
    b.ok(f"REPLACE 8 {s.box} (\\Seen) {{}}", eml("reply"))
    assert seen(b) == {1, 4, 6, 10}


def test_it_outlives_sessions_and_the_server(s):
    b = s.session("ben")
    b.ok("STORE 2 +FLAGS (\\Seen)")
    b.ok("LOGOUT")
    s.site.restart()
    b = s.session("ben")
    assert seen(b) == {2}
    assert unseen(b, s.box) == 2
    assert seen(s.session("ann")) == set()


def test_without_s_it_stays(s):
    with s.site.session(s.ann) as a:
        a.ok(f"SETACL box {s.ben} lr")
    b = s.session("ben")
    b.no("STORE 1 +FLAGS (\\Seen)", code="NOPERM")
    b.ok("FETCH 1 BODY[]")
    assert seen(b) == set()


def test_the_check_finds_nothing_and_delete_takes_it_along(s):
    b = s.session("ben")
    b.ok("STORE 1:* +FLAGS (\\Seen)")
    run("check", s.site.dir)
    with s.site.session(s.ann) as a:
        a.ok("DELETE box")
    run("check", s.site.dir)


@pytest.mark.parametrize("seed", range(4))
def test_at_random_each_sees_what_the_model_says(site, seed):
    rng = random.Random(seed)
    s = Shared(site, 8)
    try:
        names = ["ann", "ben", "cid", "ben"]
        c = [s.session(n, enable=rng.choice(["", "CONDSTORE", "QRESYNC"])) for n in names]
        there, next_uid = list(range(1, 9)), 9
        model = {n: set() for n in ("ann", "ben", "cid")}
        flagged = set()
        high = {n: 0 for n in model}
        for _ in range(80):
            i = rng.randrange(4)
            who, k = names[i], c[i]
            k.ok("NOOP")
            uids = sorted(rng.sample(there, rng.randint(1, max(1, len(there) // 2)))) \
                if there else []
            text = ",".join(map(str, uids)) or "1"
            what = rng.choice(["add", "add", "remove", "set", "flag", "read", "append",
                               "copy", "expunge", "noop", "reselect"])
            if what == "add":
                k.ok(f"UID STORE {text} +FLAGS{rng.choice(['', '.SILENT'])} (\\Seen)")
                model[who] |= set(uids)
            elif what == "remove":
                k.ok(f"UID STORE {text} -FLAGS (\\Seen)")
                model[who] -= set(uids)
            elif what == "set":
                k.ok(f"UID STORE {text} FLAGS (\\Seen)")
                model[who] |= set(uids)
                flagged -= set(uids)
            elif what == "flag":
                k.ok(f"UID STORE {text} +FLAGS (\\Flagged)")
                flagged |= set(uids)
            elif what == "read":
                k.ok(f"UID FETCH {text} BODY[]")
                model[who] |= set(uids)
            elif what == "append" and len(there) < 14:
                flag = rng.choice(["", "(\\Seen)"])
                k.append("box" if who == "ann" else s.box, eml("plain"), flag)
                if flag:
                    model[who].add(next_uid)
                there.append(next_uid)
                next_uid += 1
            elif what == "copy" and len(there) < 14:
                k.ok(f"UID COPY {text} {'box' if who == 'ann' else s.box}")
                for uid in uids:
                    if uid in model[who]:
                        model[who].add(next_uid)
                    if uid in flagged:
                        flagged.add(next_uid)
                    there.append(next_uid)
                    next_uid += 1
            elif what == "expunge" and len(there) > 4:
                uid = rng.choice(there)
                k.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
                k.ok(f"UID EXPUNGE {uid}")
                there.remove(uid)
                flagged.discard(uid)
                for n in model:
                    model[n].discard(uid)
            elif what == "reselect":
                k.select("box" if who == "ann" else s.box)
            if rng.random() < 0.3:
                for n, x in zip(names, c):
                    x.ok("NOOP")
                    assert seen(x) == model[n], (n, what)
                    box = "box" if n == "ann" else s.box
                    assert unseen(x, box) == len(there) - len(model[n])
                    r = x.ok("UID SEARCH SEEN").untagged[-1].split()[2:]
                    assert {int(u) for u in r if u.isdigit()} == model[n]
                    got = int(x.ok(f"STATUS {box} (HIGHESTMODSEQ)").one(
                        rb"\* STATUS .*HIGHESTMODSEQ (\d+)")[1])
                    assert got >= high[n]
                    high[n] = got
        run("check", site.dir)
    finally:
        s.close()
