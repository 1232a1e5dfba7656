"""ACL (RFC 4314), seen by who is given rights: each command with exactly the rights it
needs, and without each of them; what may not be known; rights that change meanwhile."""

import re

import pytest

from harness import ADMIN, ADMIN_PW, Site, eml, plain, run, wait_until
from settings import PATIENT, both

ALL = "lrswipkxtea"


def other(owner, name="box"):
    return f'"Other Users/{owner}/{name}"'


def without(rights, *gone):
    return "".join(r for r in rights if r not in gone)


def listed(c, pattern='"*"', command="LIST"):
    return {m[1].decode().strip('"')
            for m in c.ok(f'{command} "" {pattern}').find(rb'\* L\w+ \([^)]*\) "/" (.*)')}


class Shared:
    """A mailbox of `alice` with messages, others beside and below it, that `bob` gets
    rights to.  Each is made when it is first asked for."""

    def __init__(self, site):
        self.site = site
        self.alice, self.bob = site.new_user(), site.new_user()
        self.a, self.b = site.session(self.alice), site.session(self.bob)
        for name in ("box", "top"):
            self.a.ok(f"CREATE {name}")

    def fill(self, n=2, flags=""):
        for _ in range(n):
            self.a.append("box", eml("plain"), flags)

    def give(self, rights, name="box", who=None):
        self.a.ok(f'SETACL {name} {who or self.bob} "{rights}"')

    def box(self, name="box"):
        return other(self.alice, name)

    def close(self):
        self.a.cmd("DELETEACL box anyone")
        self.a.close()
        self.b.close()


@pytest.fixture
def s(site):
    s = Shared(site)
    yield s
    s.close()


def same_as_nothing(c, command, there, nothing):
    """The answer to what is hidden is that to what is not there, byte for byte."""
    select = command.startswith(("SELECT", "EXAMINE"))
    if select:
        c.select()
    hidden = c.cmd(command.format(there))
    if select:
        c.select()
    absent = c.cmd(command.format(nothing))
    assert hidden.status == "NO", hidden
    assert (hidden.untagged, hidden.code, hidden.text) == \
        (absent.untagged, absent.code, absent.text), (hidden, absent)


# ---- the table of section 4 ------------------------------------------------------------

AUTHENTICATED = [
    ("SELECT {}", "r"),
    ("EXAMINE {}", "r"),
    ("STATUS {} (MESSAGES UNSEEN UIDVALIDITY)", "r"),
    ("GETQUOTAROOT {}", "r"),
    ("SETACL {} carol lr", "a"),
    ("DELETEACL {} carol", "a"),
    ("GETACL {}", "a"),
    ("LISTRIGHTS {} carol", "a"),
    ("APPEND {} {{4}}", "i"),
]


@pytest.mark.parametrize("command, needed", AUTHENTICATED)
def test_command_needs_its_rights_and_no_others(s, command, needed):
    s.fill(1)
    nothing = other(s.alice, "nothing")

    def run_it(box):
        line = command.format(box)
        if line.endswith("{4}"):
            return s.b.cmd(line[:-3] + "{}", b"a: b")
        r = s.b.cmd(line)
        if r.status == "OK" and line.startswith(("SELECT", "EXAMINE")):
            s.b.ok("UNSELECT")
        return r

    s.give(needed)
    run_it(s.box()).ok()
    for right in needed:
        s.give(without(ALL, right))
        run_it(s.box()).no("NOPERM")
        s.give(without(ALL, right, "l"))
        hidden, absent = run_it(s.box()), run_it(nothing)
        assert (hidden.status, hidden.code, hidden.text) == \
            (absent.status, absent.code, absent.text) and hidden.status == "NO"


@pytest.mark.parametrize("right", "lrikxa")
def test_myrights_needs_any_of_six_rights(s, right):
    s.give(right)
    shown = {"k": "kc", "x": "xc"}.get(right, right)
    s.b.ok(f"MYRIGHTS {s.box()}").one(
        rb'\* MYRIGHTS "?%s"? %s$' % (s.box().strip('"').encode(), shown.encode()))


def test_myrights_is_refused_with_the_other_rights(s):
    s.give("swpte")
    same_as_nothing(s.b, "MYRIGHTS {}", s.box(), s.box("nothing"))


def test_list_shows_what_may_be_looked_up(s):
    s.a.ok("CREATE box/hidden")
    s.a.ok("CREATE box/seen")
    s.give(without(ALL, "l"), "box")
    s.give(without(ALL, "l"), "box/hidden")
    s.give("l", "box/seen")
    assert listed(s.b) == {"INBOX", "Other Users", f"Other Users/{s.alice}",
                           f"Other Users/{s.alice}/box", f"Other Users/{s.alice}/box/seen"}
    line = s.b.ok(f'LIST "" {s.box()} RETURN (STATUS (MESSAGES) MYRIGHTS)')
    assert line.untagged == [b'* LIST (\\NonExistent \\HasChildren) "/" ' +
                             s.box().encode()]
    line = s.b.ok(f'LIST "" {s.box("box/*")} RETURN (STATUS (MESSAGES) MYRIGHTS)')
    assert line.untagged == [   # no STATUS: that needs "r"
        b'* LIST (\\HasNoChildren) "/" ' + s.box("box/seen").encode(),
        b"* MYRIGHTS " + s.box("box/seen").encode() + b" l"]
    s.give("lr", "box/seen")
    assert b"* STATUS " + s.box("box/seen").encode() + b" (MESSAGES 0)" in \
        s.b.ok(f'LIST "" {s.box("box/*")} RETURN (STATUS (MESSAGES) MYRIGHTS)').untagged
    # and with nothing that he may see, nothing of her is there
    s.give("", "box/seen")
    assert listed(s.b) == {"INBOX"}


def test_create_needs_k_at_the_nearest_level_above(s):
    s.give("k")
    s.b.ok(f"CREATE {s.box('box/one')}")
    # it inherits: what is below it can be made, too
    s.b.ok(f"CREATE {s.box('box/one/two/three')}")
    assert "box/one/two/three" in listed(s.a)
    s.give(without(ALL, "k"))
    s.give(without(ALL, "k"), "box/one")
    s.b.no(f"CREATE {s.box('box/other')}", code="NOPERM")
    s.b.no(f"CREATE {s.box('box/one/other')}", code="NOPERM")
    s.b.no(f"CREATE {s.box('new')}", code="NOPERM")
    s.b.no(f"CREATE {other('nobody', 'new')}", code="NOPERM")


def test_delete_needs_x(s):
    s.a.ok("CREATE box/one")
    s.give(without(ALL, "x"), "box/one")
    s.b.no(f"DELETE {s.box('box/one')}", code="NOPERM")
    s.give("x", "box/one")
    same_as_nothing(s.b, "DELETE {}", s.box("top"), s.box("nothing"))
    s.b.ok(f"DELETE {s.box('box/one')}")
    assert "box/one" not in listed(s.a)


def test_delete_does_not_tell_of_hidden_mailboxes_below(s):
    s.a.ok("CREATE box/hidden")
    s.give("lrx")
    s.b.no(f"DELETE {s.box()}", code="NOPERM")
    s.give("l", "box/hidden")
    s.b.no(f"DELETE {s.box()}", code="HASCHILDREN")


def test_rename_needs_x_at_the_old_name_and_k_above_the_new_one(s):
    s.a.ok("CREATE box/one")
    command = f"RENAME {s.box('box/one')} {s.box('top/one')}"
    s.give(without(ALL, "x"), "box/one")
    s.give(ALL, "top")
    s.b.no(command, code="NOPERM")
    s.give("x", "box/one")
    s.give(without(ALL, "k"), "top")
    s.b.no(command, code="NOPERM")
    s.give("k", "top")
    s.b.ok(command)
    assert {"top/one"} == {n for n in listed(s.a) if n.endswith("one")}
    # the list goes along (section 4)
    assert s.a.ok("GETACL top/one").one(rb"\* ACL top/one \S+ \S+ (.*)")[1] == \
        b"%s xc" % s.bob.encode()
    # never into somebody's own tree, or out of it
    s.b.no(f"RENAME {s.box('top/one')} mine", code="CANNOT")
    s.b.ok("CREATE own")
    s.give("lk", "top")
    s.b.no(f"RENAME own {s.box('top/own')}", code="CANNOT")


def selected(s, rights):
    """A session of bob's that has the mailbox selected, with these rights and "r"."""
    s.give("r" + without(rights, "r"))
    return s.b.select(s.box())


STORES = [("\\Seen", "s"), ("\\Deleted", "t"), ("\\Flagged", "w"), ("\\Answered", "w"),
          ("\\Draft", "w"), ("$Forwarded", "w")]


@pytest.mark.parametrize("flag, right", STORES)
def test_store_changes_what_its_right_allows(s, flag, right):
    s.fill(1)
    selected(s, right)
    for how in ("+FLAGS", "-FLAGS", "FLAGS"):
        s.b.ok(f"STORE 1 {how} ({flag})")
    assert flag.encode() in s.b.ok("FETCH 1 FLAGS").untagged[-1]
    selected(s, without(ALL, right))
    for how in ("+FLAGS", "-FLAGS", "FLAGS"):
        s.b.no(f"STORE 1 {how} ({flag})", code="NOPERM")
    # not without any of them, even for nothing
    selected(s, "lie")
    s.b.no("STORE 1 FLAGS ()", code="NOPERM")


def test_store_of_several_flags_changes_those_it_may(s):
    s.fill(1, "(\\Answered key)")
    s.give("rs")
    s.b.select(s.box())
    s.b.ok("STORE 1 FLAGS (\\Seen \\Deleted \\Flagged other)")
    m = s.b.ok("FETCH 1 FLAGS").one(rb"\* 1 FETCH \(FLAGS \(([^)]*)\)\)")
    assert set(m[1].split()) - {b"\\Recent"} == {b"\\Answered", b"key", b"\\Seen"}
    s.b.ok("STORE 1 FLAGS ()")
    m = s.b.ok("FETCH 1 FLAGS").one(rb"\* 1 FETCH \(FLAGS \(([^)]*)\)\)")
    assert set(m[1].split()) - {b"\\Recent"} == {b"\\Answered", b"key"}


def test_fetch_sets_seen_with_s_alone(s):
    s.fill(1)
    selected(s, without(ALL, "s"))
    assert b"\\Seen" not in s.b.ok("FETCH 1 (FLAGS BODY[])").untagged[0]
    assert b"\\Seen" not in s.b.ok("FETCH 1 FLAGS").untagged[0]
    selected(s, "s")
    assert b"\\Seen" in s.b.ok("FETCH 1 (FLAGS BODY[])").untagged[0]


@pytest.mark.parametrize("command", ["EXPUNGE", "UID EXPUNGE 1:*"])
def test_expunge_needs_e(s, command):
    s.fill(2, "(\\Deleted)")
    selected(s, without(ALL, "e"))
    s.b.no(command, code="NOPERM")
    selected(s, "e")
    assert len(s.b.ok(command).find(rb"\* \d+ EXPUNGE")) == 2


def test_close_expunges_with_e_and_is_ok_without(s):
    s.fill(2, "(\\Deleted)")
    selected(s, without(ALL, "e"))
    s.b.ok("CLOSE")
    assert selected(s, "e").exists == 2
    s.b.ok("CLOSE")
    assert selected(s, "").exists == 0


def test_copy_needs_i_in_the_target_and_keeps_what_flags_it_may(s):
    s.fill(1, "(\\Deleted \\Seen \\Flagged key)")
    selected(s, "")
    s.give(without(ALL, "i"), "top")
    s.b.no(f"COPY 1 {s.box('top')}", code="NOPERM")
    # \Seen is his own (test_seen.py): the owner never sees it
    for rights, kept in (("i", set()), ("it", {b"\\Deleted"}), ("is", set()),
                         ("iw", {b"\\Flagged", b"key"}),
                         ("itsw", {b"\\Deleted", b"\\Flagged", b"key"})):
        s.give(rights, "top")
        s.b.ok(f"COPY 1 {s.box('top')}")
        s.a.select("top")
        m = s.a.ok("FETCH * FLAGS").one(rb"\* \d+ FETCH \(FLAGS \(([^)]*)\)\)")
        assert set(m[1].split()) - {b"\\Recent"} == kept, rights
        s.a.ok("UNSELECT")


@pytest.mark.parametrize("right, flag", [("t", b"\\Deleted"), ("s", b"\\Seen"),
                                         ("w", b"\\Flagged"), ("w", b"key"), ("", b"")])
def test_append_keeps_what_flags_it_may(s, right, flag):
    s.give("i" + right)
    s.b.append(s.box(), eml("plain"), "(\\Deleted \\Seen \\Flagged key)")
    s.a.select("box")
    m = s.a.ok("FETCH 1 FLAGS").one(rb"\* \d+ FETCH \(FLAGS \(([^)]*)\)\)")
    kept = set(m[1].split()) - {b"\\Recent"}
    assert kept == {"": set(), "t": {b"\\Deleted"}, "s": set(),   # his own
                    "w": {b"\\Flagged", b"key"}}[right]


def test_move_needs_t_and_e_here_and_i_there(s):
    s.fill(1)
    for missing in "te":
        selected(s, without(ALL, missing))
        s.give("i", "top")
        s.b.no(f"MOVE 1 {s.box('top')}", code="NOPERM")
    selected(s, "te")
    s.give(without(ALL, "i"), "top")
    s.b.no(f"MOVE 1 {s.box('top')}", code="NOPERM")
    s.give("i", "top")
    s.b.ok(f"MOVE 1 {s.box('top')}")
    assert s.a.select("top").exists == 1


def test_replace_needs_t_and_e_and_i(s):
    s.fill(1)
    for missing in "tei":
        selected(s, without(ALL, missing))
        s.b.no(f"REPLACE 1 {s.box()} {{}}", eml("reply"), code="NOPERM")
    selected(s, "tei")
    s.b.ok(f"REPLACE 1 {s.box()} {{}}", eml("reply"))


# ---- section 5: what the user may do is what he is told ---------------------------------

@pytest.mark.parametrize("rights, flags", [
    ("r", b""), ("rs", b"\\Seen"), ("rt", b"\\Deleted"),
    ("rw", b"\\Answered \\Flagged \\Draft \\*"), ("rswt", b"\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*")])
def test_permanentflags_are_those_he_may_change(s, rights, flags):
    s.give(rights)
    assert s.b.select(s.box()).one(rb"\* OK \[PERMANENTFLAGS \(([^)]*)\)\]")[1] == flags
    assert b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)" in \
        s.b.ok(f"SELECT {s.box()}").untagged


@pytest.mark.parametrize("right", "iewt")
def test_select_is_read_write_with_any_of_these(s, right):
    s.give("lrs")
    assert s.b.select(s.box()).code == "READ-ONLY"
    s.give("r" + right)
    assert s.b.select(s.box()).code == "READ-WRITE"


def test_changed_rights_hold_from_the_next_command(s):
    s.fill(1)
    selected(s, "ste")
    s.b.ok("STORE 1 +FLAGS (\\Deleted)")
    s.give("rs")
    r = s.b.ok("NOOP")
    assert b"* OK [PERMANENTFLAGS (\\Seen)] Flags permitted." in r.untagged
    s.b.no("STORE 1 -FLAGS (\\Deleted)", code="NOPERM")
    s.b.no("EXPUNGE", code="NOPERM")
    s.give("l")
    # he may not read it any more: he is told nothing of it, and can leave it
    s.fill(1)
    for command in ("FETCH 1 FLAGS", "SEARCH ALL", "EXPUNGE", "STORE 1 +FLAGS (\\Seen)",
                    "COPY 1 INBOX", "UID FETCH 1 BODY[]"):
        r = s.b.no(command, code="NOPERM")
        assert not r.untagged, r
    assert not s.b.ok("NOOP").untagged
    assert not s.b.ok("ESEARCH IN (selected subtree \"\") ALL").find(rb"\* ESEARCH.*(ALL|box)")
    assert not s.b.ok("CLOSE").untagged
    assert s.a.select("box").exists == 2


def test_idle_tells_nothing_when_the_right_is_withdrawn(s):
    selected(s, "")
    tag = s.b.start("IDLE")
    assert s.b.response().startswith(b"+")
    s.fill(1)
    assert s.b.response() == b"* 1 EXISTS"
    assert s.b.response() == b"* 1 RECENT"
    s.give("l")
    s.fill(2)
    s.b.quiet(0.5)
    s.b.send("DONE\r\n")
    assert not [u for u in s.b.finish(tag).ok().untagged if b"EXISTS" in u]


# ---- identifiers: groups, anyone, negative rights ---------------------------------------

def test_rights_are_the_union_less_the_negative_ones(s):
    def mine():
        return s.b.ok(f"MYRIGHTS {s.box()}").one(rb"\* MYRIGHTS .* (\S+)$")[1].decode()

    s.give("lr", who="anyone")
    assert mine() == "lr"
    s.give("sw")
    assert mine() == "lrsw"
    s.give("w", who="-anyone")
    assert mine() == "lrs"
    s.give("rs", who=f"-{s.bob}")
    assert mine() == "l"
    s.a.ok(f"DELETEACL box {s.bob}")
    s.a.ok(f"DELETEACL box -{s.bob}")
    assert mine() == "lr"


def test_groups_are_those_of_the_table_now(s):
    def groups(*names):
        run("user", "groups", s.site.dir, s.bob, *(["--groups", ",".join(names)] if names else []))
        s.site.hangup()

    s.give("lrs", who="$team")
    same_as_nothing(s.b, "SELECT {}", s.box(), s.box("nothing"))
    groups("teams", "team")
    s.b.ok(f"SELECT {s.box()}")
    groups("teams")
    s.b.no("FETCH 1 FLAGS", code="NOPERM")
    s.b.ok("UNSELECT")
    same_as_nothing(s.b, "SELECT {}", s.box(), s.box("nothing"))
    assert listed(s.b) == {"INBOX"}
    s.give("l", who="-$teams")
    s.give("lr", who=s.bob)
    assert s.b.ok(f"MYRIGHTS {s.box()}").untagged[0].endswith(b" r")


def test_who_is_given_a_deleted_users_name_is_not_given_his_rights(s):
    name = f"x{s.bob}"
    s.site.add_users([name])
    s.give("lr", who=name)
    with s.site.session(name) as c:
        c.ok(f"SELECT {s.box()}")
    run("user", "del", s.site.dir, name)
    s.site.add_users([name])
    with s.site.session(name) as c:
        same_as_nothing(c, "SELECT {}", s.box(), s.box("nothing"))
        assert listed(c) == {"INBOX"}
        # nor does adding a right to the entry give back those it had
        s.a.ok(f"SETACL box {name} +l")
        c.ok(f"MYRIGHTS {s.box()}").one(rb"\* MYRIGHTS .* l$")


def test_rights_given_before_there_is_such_a_user(s):
    name = f"y{s.bob}"
    s.give("lr", who=name)
    s.site.add_users([name])
    with s.site.session(name) as c:
        assert s.box().strip('"') in listed(c)
        c.ok(f"SELECT {s.box()}")


def test_setacl_tells_nothing_of_who_exists(s):
    known, unknown = s.a.ok(f"SETACL box {s.bob} l"), s.a.ok("SETACL box nobodyatall l")
    assert known.text == unknown.text
    known, unknown = s.a.ok(f"LISTRIGHTS box {s.bob}"), s.a.ok("LISTRIGHTS box nobodyatall")
    assert known.untagged[0].replace(s.bob.encode(), b"nobodyatall") == unknown.untagged[0]


def test_who_administers_gives_rights_as_the_owner_does(s):
    carol = s.site.new_user()
    s.give("a")
    s.b.ok(f"SETACL {s.box()} {carol} lr")
    s.b.ok(f"GETACL {s.box()}")
    s.b.no(f"SETACL {s.box()} {s.alice} l", code="CANNOT")
    with s.site.session(carol) as c:
        assert s.box().strip('"') in listed(c)
        c.ok(f"EXAMINE {s.box()}")


# ---- names ------------------------------------------------------------------------------

def test_subscriptions_are_the_readers(s):
    s.give("lr")
    s.a.ok("SUBSCRIBE box")
    s.b.ok(f"LSUB \"\" {s.box()}")
    assert not s.b.ok('LIST (SUBSCRIBED) "" *').untagged
    s.b.ok(f"SUBSCRIBE {s.box()}")
    assert s.b.ok('LIST (SUBSCRIBED) "" *').untagged == [
        b'* LIST (\\HasNoChildren \\Subscribed) "/" ' + s.box().encode()]
    assert listed(s.b, "*", "LSUB") == {s.box().strip('"')}
    assert s.b.ok('LSUB "" %').untagged == [b'* LSUB (\\Noselect \\HasChildren) "/" "Other Users"']
    # what he may not see any more is a subscription and nothing else
    s.give("")
    assert s.b.ok('LIST (SUBSCRIBED) "" *').untagged == [
        b'* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" ' + s.box().encode()]
    s.b.ok(f"UNSUBSCRIBE {s.box()}")
    assert not s.b.ok('LIST (SUBSCRIBED) "" *').untagged
    assert s.a.ok('LIST (SUBSCRIBED) "" *').untagged


def test_special_use_is_the_owners(s):
    s.a.ok("CREATE junk (USE (\\Junk))")
    s.give("lr", "junk")
    assert s.b.ok(f'LIST "" {s.box("junk")} RETURN (SPECIAL-USE)').untagged == [
        b'* LIST (\\HasNoChildren) "/" ' + s.box("junk").encode()]
    assert not s.b.ok(f'LIST (SPECIAL-USE) "" *').untagged


def test_select_of_rev2_names_it_as_the_reader_does(s):
    s.a.ok("CREATE box/hidden")
    s.give("lr")
    s.b.ok("ENABLE IMAP4rev2")
    s.b.ok(f"SELECT {s.box()}").one(
        rb'\* LIST \(\\HasNoChildren\) "/" %s$' % s.box().encode())
    s.a.ok("CREATE box/seen")
    s.b.ok(f"SELECT {s.box()}").one(
        rb'\* LIST \(\\HasChildren\) "/" %s$' % s.box().encode())


def test_inbox_of_another_is_inbox_in_any_case(s):
    s.give("lr", "INBOX")
    assert other(s.alice, "INBOX").strip('"') in listed(s.b)
    s.b.ok(f"SELECT {other(s.alice, 'inbox')}")
    # and one's own is one's own
    s.a.append("INBOX", eml("plain"))
    assert s.b.select("INBOX").exists == 0


def test_shared_trees(s):
    tree = f"t{s.bob}"
    run("user", "add", s.site.dir, tree, "--shared")
    s.site.hangup()
    with s.site.session(tree) as t:
        t.ok("CREATE news")
        t.ok(f"SETACL news {s.bob} lri")
        t.append("news", eml("plain"))
    assert f"Shared/{tree}/news" in listed(s.b)
    s.b.append(f"Shared/{tree}/news", eml("reply"))
    assert s.b.select(f"Shared/{tree}/news").exists == 2
    s.b.no(f'SELECT "Other Users/{tree}/news"', code="NONEXISTENT")
    same_as_nothing(s.a, "SELECT {}", f"Shared/{tree}/news", f"Shared/{tree}/other")
    with s.site.connect() as c:      # nobody logs in as a tree
        c.no("AUTHENTICATE PLAIN " + plain("", tree, ""))


def test_names_may_be_utf8(s):
    s.a.ok("ENABLE UTF8=ACCEPT")
    s.a.ok('CREATE "Entwürfe"'.encode())
    s.a.ok(f'SETACL "Entwürfe" {s.bob} lr'.encode())
    s.b.ok(f'SELECT "Other Users/{s.alice}/Entw&APw-rfe"')
    assert f"Other Users/{s.alice}/Entw&APw-rfe" in listed(s.b)


# ---- what else might tell ---------------------------------------------------------------

def test_metadata_of_others_mailboxes(s):
    s.a.ok('SETMETADATA box (/private/comment "hers" /shared/comment "all\'s")')
    s.give("l")
    s.b.no(f"GETMETADATA {s.box()} /shared/comment", code="NOPERM")
    s.b.no(f'SETMETADATA {s.box()} (/private/comment "x")', code="NOPERM")
    s.give("r")
    same_as_nothing(s.b, "GETMETADATA {} /shared/comment", s.box(), s.box("nothing"))
    s.give("lr")
    r = s.b.ok(f"GETMETADATA {s.box()} (/private/comment /shared/comment)")
    assert r.untagged == [b"* METADATA " + s.box().encode() +
                          b" (/private/comment NIL /shared/comment \"all's\")"]
    s.b.ok(f'SETMETADATA {s.box()} (/private/comment "his")')
    r = s.b.ok(f'LIST "" {s.box()} RETURN (METADATA (/private/comment))')
    assert r.untagged[1] == b"* METADATA " + s.box().encode() + b' (/private/comment "his")'
    assert b'"hers"' in s.a.ok("GETMETADATA box /private/comment").untagged[0]


def test_notify_tells_nothing_of_others_mailboxes(s):
    s.b.ok("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName)) "
           '(subtree "" (MessageNew MessageExpunge MailboxName))')
    s.fill(1)
    s.a.ok("CREATE box/new")
    s.give("lr")
    s.fill(1)
    s.b.quiet(0.5)
    assert not s.b.ok("NOOP").untagged


PROBES = ["SELECT {}", "EXAMINE {}", "STATUS {} (MESSAGES)", "DELETE {}", "GETACL {}",
          "SETACL {} carol lr", "DELETEACL {} carol", "LISTRIGHTS {} carol", "MYRIGHTS {}",
          "GETQUOTAROOT {}", "GETMETADATA {} /shared/comment",
          'SETMETADATA {} (/private/comment "x")', "RENAME {} mine", "CREATE {}",
          "RENAME INBOX {}", "RESETKEY {} INTERNAL", "COPY 1 {}", "MOVE 1 {}", "APPEND {} (\\Seen) {{0}}"]


@pytest.mark.parametrize("command", PROBES)
def test_hidden_is_as_what_is_not_there(s, command):
    """With no right at all; with others' rights in the same account; in nobody's."""
    s.b.append("INBOX", eml("plain"))
    s.b.select("INBOX")
    s.a.ok(f'SETACL top {s.bob} lr')     # she shares something with him
    for hidden in (s.box(), s.box("INBOX")):
        for nothing in (s.box("nothing"), other("nobody", "box"),
                        other(s.site.new_user(), "INBOX")):
            same_as_nothing(s.b, command, hidden, nothing)


def test_nothing_shared_leaves_no_trace(s):
    """Names, counts, UIDVALIDITY: nothing of her reaches him."""
    s.a.ok("CREATE secretname")
    s.a.append("secretname", eml("plain"))
    validity = s.a.ok("STATUS secretname (UIDVALIDITY)").one(rb".*UIDVALIDITY (\d+)")[1]
    before = len(s.b.rx)
    for pattern in ("*", "%", '"Other Users/%"', '"Other Users/*"', "Shared*",
                    f'"Other Users/{s.alice}/*"', f'"Other Users/{s.alice}/secretname"'):
        s.b.ok(f'LIST "" {pattern} RETURN (STATUS (MESSAGES UIDVALIDITY) MYRIGHTS)')
        s.b.ok(f'LSUB "" {pattern}')
        s.b.ok(f'LIST "Other Users/{s.alice}/" {pattern}')
        s.b.ok(f'LIST (SUBSCRIBED RECURSIVEMATCH) "" {pattern} RETURN (CHILDREN)')
    for command in PROBES:
        s.b.cmd(command.format(s.box("secretname")))
    seen = bytes(s.b.rx[before:])
    assert b"secretname" not in seen and validity not in seen
    assert not re.search(rb"\* (LIST|LSUB|STATUS|MYRIGHTS|ACL|METADATA)[^\r]*Other Users", seen)


# ---- section 3 of RFC 8437: nothing of it is left ---------------------------------------

def test_pipelined_switches_have_the_rights_of_the_new_user(s):
    s.fill(1)
    s.give("lrs")
    carol = s.site.new_user()
    with s.site.session(s.bob) as k:
        words = [f"x1 SELECT {s.box()}", "x2 UNAUTHENTICATE",
                 f"x3 AUTHENTICATE PLAIN {plain(carol, ADMIN, ADMIN_PW)}",
                 "x4 FETCH 1 FLAGS", f"x5 SELECT {s.box()}", f"x6 MYRIGHTS {s.box()}",
                 'x7 LIST "" *', "x8 UNAUTHENTICATE",
                 f"x9 AUTHENTICATE PLAIN {plain(s.bob, ADMIN, ADMIN_PW)}",
                 f"xa SELECT {s.box()}"]
        k.send("".join(w + "\r\n" for w in words))
        assert [k.finish(f"x{i}").status for i in "123456"] == \
            ["OK", "OK", "OK", "BAD", "NO", "NO"]
        assert k.finish("x7").untagged == [b'* LIST (\\HasNoChildren) "/" INBOX']
        assert [k.finish(f"x{i}").status for i in "89a"] == ["OK", "OK", "OK"]


def test_rows_that_say_who_shares_survive_a_restart():
    with Site(users=(), pool=3, configure=PATIENT) as site:
        s = Shared(site)
        s.give("lr")
        s.give("lr", "top", "anyone")
        s.close()
        site.restart()
        carol = site.new_user()
        with site.session(s.bob) as b, site.session(carol) as c:
            assert {n for n in listed(b) if n.count("/") == 2} == {
                f"Other Users/{s.alice}/box", f"Other Users/{s.alice}/top"}
            assert {n for n in listed(c) if n.count("/") == 2} == {
                f"Other Users/{s.alice}/top"}


def test_sharing_can_be_turned_off():
    def off(text):
        new, n = re.subn(r"(?m)^sharing: true$", "sharing: false", text)
        assert n == 1
        return new

    with Site(users=(), pool=2, configure=both(PATIENT, off)) as site:
        with site.session(site.new_user()) as c:
            words = c.capability()
            assert not {"ACL", "RIGHTS=kxte", "LIST-MYRIGHTS"} & set(words)
            assert c.ok("NAMESPACE").untagged == [b'* NAMESPACE (("" "/")) NIL NIL']
            for command in ("MYRIGHTS INBOX", "GETACL INBOX", "SETACL INBOX anyone lr",
                            "DELETEACL INBOX anyone", "LISTRIGHTS INBOX anyone",
                            'LIST "" * RETURN (MYRIGHTS)'):
                c.bad(command)
            # the names are as any others
            c.ok('CREATE "Other Users/x/y"')
            assert "Other Users/x/y" in listed(c)


# ---- what the owner keeps to himself ---------------------------------------------------


def test_special_use_is_the_owners_own(s):
    s.a.ok('CREATE junk (USE (\\Junk))')
    s.give("lrsw", "junk")
    for depth in ("", "(DEPTH infinity) "):
        r = s.b.ok(f"GETMETADATA {depth}{s.box('junk')} (/private/specialuse /private)")
        assert b"Junk" not in b"".join(r.untagged), r
    assert b"Junk" in b"".join(s.a.ok("GETMETADATA junk /private/specialuse").untagged)


def test_who_makes_a_mailbox_gives_it_no_special_use(s):
    """It would be the owner's \\Sent, and another one's being that would show."""
    s.a.ok("CREATE trash (USE (\\Trash))")
    s.give("lrk", "top")
    for use in ("Sent", "Trash"):
        s.b.no(f"CREATE {s.box('top/' + use)} (USE (\\{use}))", code="NOPERM")
    assert listed(s.a, '"top/*"') == set()
    s.b.ok(f"CREATE {s.box('top/plain')} (USE ())")


def test_no_limit_of_setacl_tells_users_from_strangers(s):
    """Names that are nobody's are kept in one row an owner: that it is full does not show,
    and who is given rights finds the mailbox all the same."""
    for k in range(2):
        s.a.ok(f"CREATE many{k}")
        for i in range(40):
            s.give("l", f"many{k}", f"nobody-{k}{i}-".ljust(60, "x"))
    s.give("lr", "many0", "$team")
    s.give("lr", "many0", "anyone")
    s.b.ok(f"EXAMINE {s.box('many0')}")
    s.b.no(f"EXAMINE {s.box('many1')}")
    assert not any("many1" in name for name in listed(s.b))


def test_recent_is_not_taken_by_who_may_only_read(s):
    s.fill(2)
    selected(s, "")
    s.fill(1)
    s.b.ok("NOOP")
    s.a.ok("SELECT box").one(rb"\* 3 RECENT")


def test_others_are_not_warned_of_the_owners_quota(s):
    s.a.ok(f'SETQUOTA "#user/{s.alice}" (MESSAGE 1)')
    s.give("lri")
    assert s.b.append(s.box(), eml("plain")).untagged == []
    s.b.no(f"APPEND {s.box()} {{}}", eml("plain"), code="OVERQUOTA")
