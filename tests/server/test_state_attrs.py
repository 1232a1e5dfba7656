"""State of metadata, quota, limits, previews and URLs (state table of RFC 8437,
doc/unauthenticate.md)."""

import pytest

import lmtp
from harness import USER_PW, Site, eml
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


def test_mail_over_quota_waits_or_goes_back(how):
    if how != "plain":
        pytest.skip("LMTP is the same for both")
    for setting, code, enhanced in ((0, 452, "4.2.2"), (1, 552, "5.2.2")):
        with Site(configure=both(PATIENT, lmtp.listen, limit("messages", 1),
                                 limit("refuse-mail", setting))) as s, lmtp.Lmtp(s) as k:
            k.deliver(eml("plain"), "alice")
            k.deliver(eml("plain"), "alice", code=code, enhanced=enhanced)
            with s.session("alice") as c:
                c.ok("GETQUOTAROOT INBOX").one(rb".*MESSAGE 1 1")
