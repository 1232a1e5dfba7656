"""COPY, MOVE, REPLACE and CATENATE between mailboxes of two owners: rights (RFC 4314),
COPYUID (RFC 4315), flags that may be carried, all or nothing, quota of the target's owner."""

import re

import pytest

from harness import eml


def other(owner, name="box"):
    return f'"Other Users/{owner}/{name}"'


class Two:
    """Two owners, ann and ben, each with a "box", and carl, whom both give rights."""

    def __init__(self, site):
        self.site = site
        self.ann, self.ben, self.carl = (site.new_user() for _ in range(3))
        self.a, self.b, self.c = (site.session(u) for u in (self.ann, self.ben, self.carl))
        for owner in (self.a, self.b):
            owner.ok("CREATE box")
            owner.ok(f"SETACL box {self.carl} lrswite")
        self.c.ok("CREATE box")

    def at(self, whose):
        return {"own": "box", "ann": other(self.ann), "ben": other(self.ben)}[whose]

    def close(self):
        for c in (self.a, self.b, self.c):
            c.close()


@pytest.fixture
def t(site):
    t = Two(site)
    yield t
    t.close()


def flags(c, uid):
    m = c.ok(f"UID FETCH {uid} FLAGS").one(rb".*FLAGS \(([^)]*)\)")
    return set(m[1].split()) - {b"\\Recent"}


def ids(c, uid):
    m = c.ok(f"UID FETCH {uid} (EMAILID THREADID INTERNALDATE)").one(
        rb".*(EMAILID.*)\)")
    return m[1]


WAYS = [("own", "ann"), ("ann", "own"), ("ann", "ben")]


@pytest.mark.parametrize("here, there", WAYS)
@pytest.mark.parametrize("command", ["COPY", "UID COPY", "MOVE", "UID MOVE"])
def test_messages_come_whole(t, here, there, command):
    c = t.c
    c.append(t.at(here), eml("plain"), "(\\Seen \\Flagged key)")
    c.append(t.at(here), eml("reply"), "(\\Answered)")
    c.append(t.at(there), eml("plain"))
    c.select(t.at(here))
    were = [ids(c, uid) for uid in (1, 2)]
    r = c.ok(f"{command} 1:2 {t.at(there)}")
    if "MOVE" in command:   # COPYUID before the EXPUNGE (RFC 6851 section 4.3)
        assert re.match(rb"\* OK \[COPYUID \d+ 1:2 2:3\]", r.untagged[0]), r
        assert r.untagged[1:] == [b"* 1 EXPUNGE", b"* 1 EXPUNGE"]
        assert c.select(t.at(here)).exists == 0
    else:
        assert re.fullmatch(r"COPYUID \d+ 1:2 2:3", r.code), r
        assert c.select(t.at(here)).exists == 2
    assert c.select(t.at(there)).exists == 3
    assert flags(c, 2) == {b"\\Seen", b"\\Flagged", b"key"}
    assert flags(c, 3) == {b"\\Answered"}
    assert [ids(c, uid) for uid in (2, 3)] == were
    for uid, name in ((2, "plain"), (3, "reply")):
        assert eml(name) in c.ok(f"UID FETCH {uid} BODY.PEEK[]").untagged[0]
    assert c.ok('UID SEARCH 2:* SUBJECT ""').untagged == [b"* SEARCH 2 3"]


def test_what_was_copied_outlives_the_original(t):
    c = t.c
    c.append(t.at("ann"), eml("plain"))
    c.select(t.at("ann"))
    c.ok("COPY 1 box")
    t.a.select("box")
    t.a.ok("STORE 1 +FLAGS (\\Deleted)")
    t.a.ok("EXPUNGE")
    t.a.ok("UNSELECT")
    t.a.ok("DELETE box")
    c.select("box")
    assert eml("plain") in c.ok("FETCH 1 BODY[]").untagged[0]


def test_target_needs_i_and_source_t_and_e(t):
    c = t.c
    c.append("box", eml("plain"))
    c.select("box")
    t.a.ok(f"SETACL box {t.carl} lrswte")
    for command in ("COPY", "MOVE"):
        c.no(f"{command} 1 {t.at('ann')}", code="NOPERM")
        c.no(f"{command} 1 {other(t.ann, 'nothing')}", code="TRYCREATE")
        c.no(f"{command} 1 {other('nobody')}", code="TRYCREATE")
    c.no(f"REPLACE 1 {t.at('ann')} {{}}", eml("reply"), code="NOPERM")
    t.b.append("box", eml("plain"))
    for rights in ("lrswie", "lrswit"):
        t.b.ok(f"SETACL box {t.carl} {rights}")
        c.select(t.at("ben"))
        c.no("MOVE 1 box", code="NOPERM")
        c.no("REPLACE 1 box {}", eml("reply"), code="NOPERM")
        c.ok("COPY 1 box")


@pytest.mark.parametrize("rights, kept", [
    ("i", set()), ("it", {b"\\Deleted"}), ("is", {b"\\Seen"}),
    ("iw", {b"\\Flagged", b"key"}), ("istw", {b"\\Deleted", b"\\Seen", b"\\Flagged", b"key"})])
def test_flags_are_carried_as_far_as_the_rights_go(t, rights, kept):
    c = t.c
    t.a.ok(f"SETACL box {t.carl} lr{rights}")
    for _ in range(2):
        c.append("box", eml("plain"), "(\\Deleted \\Seen \\Flagged key)")
    c.select("box")
    c.ok(f"COPY 1 {t.at('ann')}")
    c.ok(f"MOVE 2 {t.at('ann')}")
    c.select(t.at("ann"))
    assert flags(c, 1) == flags(c, 2) == kept


def test_the_quota_is_that_of_the_targets_owner_and_nothing_is_done_by_half(t):
    c = t.c
    for _ in range(3):
        c.append("box", eml("plain"))
    t.a.ok(f"SETQUOTA #user/{t.ann} (MESSAGE 2)")
    c.select("box")
    for command in ("COPY", "MOVE"):
        c.no(f"{command} 1:3 {t.at('ann')}", code="OVERQUOTA")
    assert c.ok("NOOP").untagged == []
    assert c.ok(f"STATUS {t.at('ann')} (MESSAGES)").untagged[0].endswith(b"(MESSAGES 0)")
    c.ok(f"MOVE 1:2 {t.at('ann')}")
    c.no(f"REPLACE 1 {t.at('ann')} {{}}", eml("reply"), code="OVERQUOTA")
    assert c.select("box").exists == 1


@pytest.mark.parametrize("here, there", WAYS)
def test_replace_into_another_owners_mailbox(t, here, there):
    c = t.c
    for _ in range(2):
        c.append(t.at(here), eml("plain"))
    c.select(t.at(here))
    r = c.ok(f"REPLACE 1 {t.at(there)} (\\Flagged) {{}}", eml("reply"))
    assert re.match(rb"\* OK \[APPENDUID \d+ 1\]", r.untagged[0]), r
    assert r.untagged[1] == b"* 1 EXPUNGE"
    c.no(f"UID REPLACE 1 {t.at(there)} {{}}", eml("reply"), code="NONEXISTENT")
    assert c.select(t.at(there)).exists == 1
    assert flags(c, 1) == {b"\\Flagged"}
    assert eml("reply") in c.ok("FETCH 1 BODY.PEEK[]").untagged[0]


@pytest.mark.parametrize("here, there", WAYS)
def test_catenate_takes_from_one_owner_and_gives_to_another(t, here, there):
    c = t.c
    c.append(t.at(here), eml("plain"))
    name = t.at(here).strip('"').replace(" ", "%20")
    c.ok(f'APPEND {t.at(there)} CATENATE (TEXT {{}} URL "/{name}/;UID=1/;SECTION=TEXT")',
         b"Subject: anew\r\n\r\n")
    body = eml("plain").split(b"\r\n\r\n", 1)[1]
    c.select(t.at(there))
    assert b"Subject: anew\r\n\r\n" + body in c.ok("FETCH 1 BODY.PEEK[]").untagged[0]


def test_catenate_needs_r_at_the_source(t):
    c = t.c
    c.append(t.at("ann"), eml("plain"))
    t.a.ok(f"SETACL box {t.carl} liswte")
    name = t.at("ann").strip('"').replace(" ", "%20")
    r = c.cmd(f'APPEND box CATENATE (URL "/{name}/;UID=1")')
    assert r.status == "NO" and r.code.startswith("BADURL"), r


def test_others_see_them_come_and_go(t):
    c = t.c
    c.append(t.at("ann"), eml("plain"))
    t.a.select("box")
    t.b.select("box")
    c.select(t.at("ann"))
    c.ok(f"MOVE 1 {t.at('ben')}")
    assert b"* 1 EXPUNGE" in t.a.ok("NOOP").untagged
    assert b"* 1 EXISTS" in t.b.ok("NOOP").untagged


def test_a_whole_mailbox_moves_part_by_part(t):
    c = t.c
    for _ in range(6):
        c.cmd("APPEND box" + " {}" * 100, *[eml("plain")] * 100).ok()
    c.select("box")
    r = c.ok(f"MOVE 1:* {t.at('ann')}")
    assert re.match(rb"\* OK \[COPYUID \d+ 1:600 1:600\]", r.untagged[0])
    assert c.select("box").exists == 0
    assert c.select(t.at("ann")).exists == 600
