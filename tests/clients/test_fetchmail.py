"""fetchmail."""

from harness import USER_PW, eml


def test_fetchmail_takes_all_mail(site, client, tmp_path):
    names = ["plain", "reply", "multi", "qp", "lang"]
    with site.session("alice", password=USER_PW) as c:
        for name in names:
            c.append("INBOX", eml(name))
    rc = tmp_path / "fetchmailrc"
    out = tmp_path / "out"
    out.mkdir()
    rc.write_text(f"""
poll localhost proto imap service {site.ports['imaps']}
  user "alice" password "{USER_PW}" ssl sslcertck sslcertfile "{site.certificate}"
  nokeep fetchall no rewrite mda "sh -c 'cat > {out}/$$'"
""")
    rc.chmod(0o600)
    args = ["fetchmail", "-f", rc, "--nosyslog", "--pidfile", tmp_path / "pid", "-N"]
    client(*args, env={"HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path)})
    got = [p.read_bytes() for p in out.iterdir()]
    assert len(got) == len(names)
    for name in names:
        body = eml(name).replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        assert any(g.partition(b"\n\n")[2].rstrip(b"\n") == body.rstrip(b"\n") for g in got), name
    with site.session("alice", password=USER_PW) as c:
        assert c.select().exists == 0
    # nothing left: exit status 1 means no mail
    client(*args, env={"HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path)}, expect=1)
