"""mailutil (UW c-client), which names another user with /authuser=."""

from harness import ADMIN, ADMIN_PW, USER_PW, eml


def spec(site, box, more="", tls=True):
    port = site.ports["imaps" if tls else "imap"]
    how = "ssl" if tls else "tls"
    return f"{{localhost:{port}/imap/{how}/novalidate-cert{more}}}{box}"


def test_mailutil_copies_as_the_user(site, terminal, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        for name in ("plain", "multi"):
            c.append("INBOX", eml(name))
    terminal("mailutil", "transfer", "-verbose",
             spec(site, "INBOX", "/user=alice"), f"#driver.mbx/{tmp_path}/box",
             answers=[(b"assword", USER_PW.encode() + b"\n")],
             env={"HOME": str(tmp_path)})
    assert (tmp_path / "box").stat().st_size > len(eml("plain") + eml("multi"))


def test_mailutil_acts_for_another_user_by_authuser(site, terminal, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        c.append("INBOX", eml("plain"))
        c.append("INBOX", eml("plain"))
    for tls in (True, False):
        seen = terminal("mailutil", "check",
                        spec(site, "INBOX", f"/user=alice/authuser={ADMIN}", tls),
                        answers=[(b"assword", ADMIN_PW.encode() + b"\n")],
                        env={"HOME": str(tmp_path)})
        assert b"2" in seen.split(b"\n")[-2] + seen, seen
    # an ordinary user may not
    seen = terminal("mailutil", "check", spec(site, "INBOX", "/user=alice/authuser=bob"),
                    answers=[(b"assword", USER_PW.encode() + b"\n")] * 3,
                    env={"HOME": str(tmp_path)}, expect=None)
    assert b"recent" not in seen.lower(), seen
