"""mailutil (UW c-client), which names another user with /authuser=."""

from harness import ADMIN, ADMIN_PW, USER_PW, eml


def spec(site, box, more=""):
    """Implicit TLS: for STARTTLS c-client still wants TLS 1.0, which nobody should offer."""
    return f"{{localhost:{site.ports['imaps']}/imap/ssl/novalidate-cert{more}}}{box}"


def test_mailutil_copies_as_the_user(site, terminal, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        for name in ("plain", "multi"):
            c.append("INBOX", eml(name))
    terminal("mailutil", "copy",
             spec(site, "INBOX", "/user=alice"), f"#driver.unix{tmp_path}/box",
             answers=[(b"assword", USER_PW.encode() + b"\n")],
             env={"HOME": str(tmp_path)})
    assert (tmp_path / "box").stat().st_size > len(eml("plain") + eml("multi"))


def test_mailutil_acts_for_another_user_by_authuser(site, terminal, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        c.append("INBOX", eml("plain"))
        c.append("INBOX", eml("plain"))
    seen = terminal("mailutil", "check",
                    spec(site, "INBOX", f"/user=alice/authuser={ADMIN}"),
                    answers=[(b"assword", ADMIN_PW.encode() + b"\n")],
                    env={"HOME": str(tmp_path)})
    assert b"2 new message(s) (2 unseen), 2 total" in seen, seen
    # an ordinary user may not
    seen = terminal("mailutil", "check", spec(site, "INBOX", "/user=alice/authuser=bob"),
                    answers=[(b"assword:", b"\n")] * 20,
                    env={"HOME": str(tmp_path)}, expect=None)
    assert b"recent" not in seen.lower(), seen
