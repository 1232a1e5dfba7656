"""State of metadata, quota, limits, previews and URLs (state table of RFC 8437,
doc/unauthenticate.md)."""


def test_s41_a_preview_that_was_asked_for_is_not_told_to_the_next(site, how, alice, bob):
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
