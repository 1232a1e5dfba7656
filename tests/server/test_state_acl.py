"""The state table of UNAUTHENTICATE (RFC 8437; doc/unauthenticate.md): shared mailboxes,
groups and rights.  One connection, two users who have different rights to one mailbox."""

import pytest

from harness import eml, run


def other(owner, name="box"):
    return f'"Other Users/{owner}/{name}"'


@pytest.fixture
def owner(site):
    name = site.new_user()
    with site.session(name) as c:
        c.ok("CREATE box")
        c.append("box", eml("plain"))
    return name


def give(site, owner, who, rights, mailbox="box"):
    with site.session(owner) as c:
        c.ok(f'SETACL {mailbox} {who} "{rights}"')


def groups(site, user, *names):
    run("user", "groups", site.dir, user, *(["--groups", ",".join(names)] if names else []))
    site.hangup()


def rights(c, mailbox):
    return c.ok(f"MYRIGHTS {mailbox}").one(rb"\* MYRIGHTS .* (\S+)$")[1].decode()


def test_S10_view_of_a_shared_mailbox_is_each_users_own(site, how, alice, bob, owner):
    box = other(owner)
    for who in (alice, bob):
        give(site, owner, who, "lrsw")
    with site.session(alice, how) as k:
        k.select(box)
        k.ok(f'SETMETADATA {box} (/private/comment "alice was here")')
        k.ok("STORE 1 +FLAGS (\\Seen)")
        k.unauthenticate()
        k.login(bob)
        k.select(box)
        assert k.ok("SEARCH SEEN").untagged == [b"* SEARCH"]
        assert k.ok(f"GETMETADATA {box} /private/comment").untagged == [
            b"* METADATA " + box.encode() + b" (/private/comment NIL)"]
        k.unauthenticate()
        k.login(alice)
        assert k.ok(f"GETMETADATA {box} /private/comment").untagged == [
            b"* METADATA " + box.encode() + b' (/private/comment "alice was here")']
        k.select(box)
        assert k.ok("SEARCH SEEN").untagged == [b"* SEARCH 1"]


def test_S42_groups_of_the_former_user_are_forgotten(site, how, alice, bob, owner):
    groups(site, alice, "staff")
    give(site, owner, "$staff", "lrs")
    with site.session(alice, how) as k:
        assert k.select(other(owner)).exists == 1
        k.unauthenticate()
        k.login(bob)
        k.no(f"SELECT {other(owner)}", code="NONEXISTENT")
        assert not k.ok(f'LIST "" {other(owner, "*")}').untagged
        k.bad("FETCH 1 FLAGS")


def test_S43_rights_on_the_selected_mailbox_are_the_new_users(site, how, alice, bob, owner):
    box = other(owner)
    give(site, owner, alice, "lrt")
    give(site, owner, bob, "lrs")
    with site.session(alice, how) as k:
        k.select(box)
        k.ok("STORE 1 +FLAGS (\\Deleted)")
        assert rights(k, box) == "lrtd"
        k.unauthenticate()
        k.login(bob)
        k.select(box)
        k.no("STORE 1 -FLAGS (\\Deleted)", code="NOPERM")
        assert rights(k, box) == "lrs"
        k.unauthenticate()
        # changed while she is out
        give(site, owner, alice, "lrw")
        k.login(alice)
        k.select(box)
        assert rights(k, box) == "lrw"
        k.no("STORE 1 -FLAGS (\\Deleted)", code="NOPERM")
        k.ok("STORE 1 +FLAGS (\\Flagged)")


def test_S44_refusals_of_the_former_user_are_forgotten(site, how, alice, bob, owner):
    box = other(owner)
    give(site, owner, alice, "lr")
    with site.session(bob, how) as k:
        k.no(f"SELECT {box}", code="NONEXISTENT")
        assert not k.ok(f'LIST "" {box}').untagged
        k.no(f"STATUS {box} (MESSAGES)", code="NONEXISTENT")
        k.unauthenticate()
        k.login(alice)
        assert k.select(box).exists == 1
        assert len(k.ok(f'LIST "" {box}').untagged) == 1
        k.ok(f"STATUS {box} (MESSAGES)").one(rb".*\(MESSAGES 1\)$")


def test_S46_subscriptions_to_others_mailboxes_are_the_new_users(site, how, alice, bob, owner):
    box = other(owner)
    for who in (alice, bob):
        give(site, owner, who, "lr")
    with site.session(alice, how) as k:
        k.ok(f"SUBSCRIBE {box}")
        k.unauthenticate()
        k.login(bob)
        assert not k.ok('LIST (SUBSCRIBED) "" *').untagged
        assert not k.ok('LSUB "" *').untagged
        assert len(k.ok(f'LIST "" {box}').untagged) == 1
