"""State of metadata, quota, limits, previews and URLs (state table of RFC 8437,
doc/unauthenticate.md)."""

import pytest

import lmtp
from harness import ADMIN, USER_PW, Site, eml
from settings import PATIENT, both, limit


def test_S41_a_preview_that_was_asked_for_is_not_told_to_the_next(site, how, alice, bob):
    text = b"Subject: big\r\n\r\n" + b"alice's words " * 200000
    with site.session(alice) as w:
        w.ok('APPEND INBOX {}', text)
    with site.session(alice, how) as k:
        k.ok("SELECT INBOX")
        t = k.start("FETCH 1 (PREVIEW (LAZY))")
        u = k.start("UNAUTHENTICATE")       # in the same breath
        k.finish(t).ok()
        k.finish(u).ok()
        k.login(bob)
        k.ok("SELECT INBOX")
        k.quiet(0.3)
        assert not k.ok("NOOP").untagged


def test_S47_who_is_over_his_quota_does_not_stop_the_next(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok(f"SETQUOTA #user/{alice} (MESSAGE 0)")
        for user, root, over in ((alice, alice, True), (bob, bob, False), (alice, alice, True)):
            k.unauthenticate()
            k.login(user)
            if over:
                k.no("APPEND INBOX {100}", code="OVERQUOTA")
            else:
                k.ok("APPEND INBOX {}", eml("plain"))
            r = k.ok("GETQUOTAROOT INBOX")
            assert r.one(rb"\* QUOTAROOT INBOX (.*)$")[1].decode() == f"#user/{root}"
            assert (b"MESSAGE 0 0" in r.one(rb"\* QUOTA .*")[0]) == over
        k.unauthenticate()
        # the administrator's right to set limits ends with him
        k.login("alice", USER_PW)
        assert "QUOTASET" not in k.capability()
        k.no("SETQUOTA #user/alice (MESSAGE 5)", code="NOPERM")


def test_mail_over_quota_waits_or_goes_back():
    for setting, code, enhanced in ((0, 452, "4.2.2"), (1, 552, "5.2.2")):
        with Site(configure=both(PATIENT, lmtp.listen, limit("messages", 1),
                                 limit("refuse-mail", setting))) as s, lmtp.Lmtp(s) as k:
            k.deliver(eml("plain"), "alice")
            k.deliver(eml("plain"), "alice", code=code, enhanced=enhanced)
            with s.session("alice") as c:
                c.ok("GETQUOTAROOT INBOX").one(rb".*MESSAGE 1 1")


def test_S17_news_of_metadata_are_off_again(site, how, alice, bob):
    with site.session(alice, how) as k, site.session(bob) as w:
        k.ok("ENABLE METADATA")
        k.unauthenticate()
        k.login(bob)
        w.ok('SETMETADATA INBOX (/shared/comment "new")')
        assert not k.ok("NOOP").untagged
        k.ok("ENABLE METADATA").one(rb"\* ENABLED METADATA$")
        w.ok('SETMETADATA INBOX (/shared/comment "newer")')
        k.ok("NOOP").one(rb"\* METADATA INBOX /shared/comment$")


def test_S48_the_limit_of_append_is_the_new_users(site, how, alice, bob):
    entry = "/private/vendor/mailstile/append-limit"
    with site.session(alice, how) as k:
        k.ok(f'SETMETADATA "" ({entry} "1000")')
        big = b"Subject: x\r\n\r\n" + b"x" * 5000
        for user, fits in ((alice, False), (bob, True), (alice, False)):
            k.unauthenticate()
            k.login(user)
            assert ("APPENDLIMIT=1000" in k.capability()) != fits
            got = k.ok("STATUS INBOX (APPENDLIMIT)").one(rb".*APPENDLIMIT (\d+)")[1]
            assert (int(got) == 1000) != fits
            if fits:
                k.ok("APPEND INBOX {}", big)
            else:
                k.no("APPEND INBOX {5014}", code="TOOBIG")
        k.unauthenticate()
        k.login("alice", USER_PW)
        k.no(f'SETMETADATA "" ({entry} "1")', code="NOPERM")


def test_S51_private_entries_are_each_users_own(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok('SETMETADATA INBOX (/private/comment "alice\'s")')
        k.ok('SETMETADATA "" (/private/vendor/x/y "alice\'s")')
        k.unauthenticate()
        k.login(bob)
        k.ok("GETMETADATA INBOX /private/comment").one(rb".*\(/private/comment NIL\)")
        k.ok('GETMETADATA "" (DEPTH infinity) /private')
        assert not k.ok('GETMETADATA "" (DEPTH infinity) /private').untagged


def test_S51_filters_are_each_users_own(site, how, alice, bob):
    with site.session(alice, how) as k:
        k.ok('SETMETADATA "" (/private/filters/values/x "ALL")')
        k.ok("SELECT INBOX")
        k.ok("SEARCH FILTER x")
        k.unauthenticate()
        k.login(bob)
        k.ok("SELECT INBOX")
        assert k.no("SEARCH FILTER x").code == "UNDEFINED-FILTER x"


def test_filters_of_the_operator_are_everybodys_and_ones_own_go_before():
    def filters(text):
        return text.replace("shared-filters: []", """shared-filters:
  - name: big
    search: LARGER 10
    description: What is large
  - {name: seen-big, search: FILTER big SEEN}""")
    with Site(configure=filters) as s, s.session("alice") as k:
        k.ok("APPEND INBOX (\\Seen) {}", eml("plain"))
        k.ok("APPEND INBOX {}", eml("plain"))
        k.ok("SELECT INBOX")
        k.ok("SEARCH FILTER BIG").one(rb"\* SEARCH 1 2$")
        k.ok("SEARCH FILTER seen-big").one(rb"\* SEARCH 1$")
        k.ok('SETMETADATA "" (/private/filters/values/big "UNSEEN")')
        k.ok("SEARCH FILTER big").one(rb"\* SEARCH 2$")
        k.ok("SEARCH FILTER seen-big").one(rb"\* SEARCH$")
        k.ok('GETMETADATA "" (DEPTH infinity) /shared/filters').one(
            rb'\* METADATA "" \(/shared/filters/values/big "LARGER 10" '
            rb'/shared/filters/descriptions/big "What is large" '
            rb'/shared/filters/values/seen-big "FILTER big SEEN"\)$')


def test_metadata_has_limits_and_what_the_operator_says_of_the_server():
    def told(text):
        return (text.replace('server-comment: ""', 'server-comment: "A note."')
                .replace('server-admin: ""', 'server-admin: "mailto:postmaster@example.org"'))
    with Site(configure=both(PATIENT, told, limit("metadata-entries", 10),
                             limit("metadata-bytes", 1024))) as s, s.session("alice") as k:
        k.ok('GETMETADATA "" (/shared/comment /shared/admin)').one(
            rb'\* METADATA "" \(/shared/comment "A note." '
            rb'/shared/admin "mailto:postmaster@example.org"\)$')
        r = k.no("SETMETADATA INBOX (/shared/a {})", b"x" * 1025)
        assert r.code == "METADATA MAXSIZE 1024"
        for i in range(10):
            k.ok(f"SETMETADATA INBOX (/shared/a{i} {{}})", b"x" * 1024)
        assert k.no('SETMETADATA INBOX (/shared/b "x")').code == "METADATA TOOMANY"
        assert k.no('SETMETADATA INBOX (/shared/a1 "y" /shared/b "x")').code == "METADATA TOOMANY"
        k.ok('SETMETADATA INBOX (/shared/a1 NIL /shared/b "x")')
        k.ok('SETMETADATA INBOX (/private/b "x")')


def test_S50_urls_of_catenate_are_the_new_users(site, how, alice, bob):
    with site.session(alice) as w:
        w.ok("CREATE private")
        w.ok("APPEND private {}", eml("plain"))
    with site.session(alice, how) as k:
        k.ok("SELECT private")
        k.ok('APPEND INBOX CATENATE (URL ";UID=1")')
        k.unauthenticate()
        k.login(bob)
        for url in ("/private/;UID=1", ";UID=1", f"imap://{alice}@localhost/private/;UID=1"):
            k.no(f'APPEND INBOX CATENATE (URL "{url}")', code="BADURL")
        k.ok("STATUS INBOX (MESSAGES)").one(rb".*MESSAGES 0")


def generate(k, user, access, rest="INBOX/;UID=1/;SECTION=TEXT"):
    url = f"imap://{user}@localhost/{rest};URLAUTH={access}"
    return k.ok(f'GENURLAUTH "{url}" INTERNAL').one(rb'\* GENURLAUTH "([^"]*)"$')[1].decode()


def fetched(k, url):
    return k.ok(f'URLFETCH "{url}"').one(rb'\* URLFETCH "[^"]*" (.*)$')[1]


def test_S49_urls_are_judged_by_the_authorization_identity(site, how, alice, bob):
    with site.session(alice) as w:
        w.ok("APPEND INBOX {}", b"Subject: x\r\n\r\nSi vis pacem, para bellum.\r\n")
    text = b"{28}\r\nSi vis pacem, para bellum.\r\n"
    with site.session(alice, how) as k:
        own, any_, sub = (generate(k, alice, a) for a in
                          (f"user+{alice}", "authuser", f"submit+{alice}"))
        assert fetched(k, own) == text
        assert fetched(k, any_) == text
        assert fetched(k, sub) == b"NIL"        # an administrator who acts for alice is alice
        k.unauthenticate()
        k.bad(f'URLFETCH "{any_}"')
        k.login(bob)
        assert fetched(k, own) == b"NIL"
        assert fetched(k, any_) == text
        assert fetched(k, sub) == b"NIL"
        k.bad(f'GENURLAUTH "imap://{alice}@localhost/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL')
        k.ok("RESETKEY")                        # bob's keys alone
        assert fetched(k, any_) == text
        k.unauthenticate()
        k.login(ADMIN)
        assert fetched(k, sub) == text          # the submission server, as itself
        assert fetched(k, own) == b"NIL"
        k.unauthenticate()
        k.login(alice)
        k.ok("RESETKEY")
        assert fetched(k, own) == b"NIL"
