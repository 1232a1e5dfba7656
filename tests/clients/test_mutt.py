"""mutt in batch: sends with a copy to the server, and reads on a terminal."""

from harness import USER_PW, eml


def rc(site, path, tmp_path):
    (tmp_path / "Mail").mkdir(exist_ok=True)     # or it asks
    path.write_text(f"""
set certificate_file={site.certificate}
set ssl_verify_host=no
set imap_user=alice
set imap_pass="{USER_PW}"
set sendmail=/bin/true
set from=alice@example.org
set use_from=yes
set copy=yes
set confirmappend=no
set confirmcreate=no
set move=no
set delete=yes
set quit=yes
set wait_key=no
set fcc_clear=yes
set header_cache=""
set tmpdir={tmp_path}
""")
    return path


def test_mutt_saves_what_it_sends(site, client, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        c.ok("CREATE Sent")
    url = f"imaps://localhost:{site.ports['imaps']}"
    config = rc(site, tmp_path / "muttrc", tmp_path)
    for i in range(3):
        client("mutt", "-n", "-F", config, "-e", f"set record={url}/Sent",
               "-s", f"letter {i}", "bob@example.org", stdin=b"Dear Bob\n",
               env={"HOME": str(tmp_path)})
    with site.session("alice", password=USER_PW) as c:
        assert c.select("Sent").exists == 3
        assert c.ok("SEARCH SUBJECT letter BODY dear SEEN").find(rb"\* SEARCH 1 2 3$")


def test_mutt_reads_flags_and_copies(site, terminal, tmp_path):
    with site.session("alice", password=USER_PW) as c:
        for name in ("plain", "multi", "qp"):
            c.append("INBOX", eml(name))
        c.ok("CREATE other")
    url = f"imap://localhost:{site.ports['imap']}"
    config = rc(site, tmp_path / "muttrc", tmp_path)
    keys = ("<first-entry><flag-message><next-entry>"
            f"<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{url}/other<enter>"
            f"<untag-pattern>~A<enter><last-entry><delete-message>"
            "<sync-mailbox><quit>")
    terminal("mutt", "-n", "-F", config, "-f", f"{url}/INBOX",
             "-e", "set ssl_starttls=yes", "-e", f'push "{keys}"',
             env={"HOME": str(tmp_path)}, expect=None)
    with site.session("alice", password=USER_PW) as c:
        assert c.select("other").exists == 3
        r = c.ok("FETCH 1:3 BODY.PEEK[]")
        assert {m[1] for m in r.find(rb"\* \d+ FETCH \(.*?\{\d+\}\r\n(.*)\)$")} == \
            {eml("plain"), eml("multi"), eml("qp")}
        assert c.select("INBOX").exists == 2
        assert c.ok("SEARCH FLAGGED").find(rb"\* SEARCH \d+$")
