"""Clients that resynchronise for real: imapflow, interimap, neomutt and mbsync over CONDSTORE
and QRESYNC (RFC 7162).

Evolution's engine is in test_camel.py. Thunderbird is not driven here: no Debian package
drives it without its window.
"""

import json
import pathlib
import re
import shutil

import pytest

from harness import USER_PW, eml
from samples import messages
from test_mbsync import config as mbsync_config
from test_mbsync import content, maildir

HERE = pathlib.Path(__file__).parent


def test_imapflow_with_qresync(site, client, node_modules):
    res = client("node", HERE / "imapflow_qresync.js", site.ports["imaps"], "alice", USER_PW,
                 site.certificate, env={"NODE_PATH": str(node_modules)})
    out = json.loads(res.stdout)
    assert out["enabled"] == ["CONDSTORE", "QRESYNC"] and out["hasModseq"]
    away = out["expunged"].index("away")
    assert sorted(u for u, vanished, earlier in out["expunged"][:away]
                  if vanished and not earlier) == [3, 4]
    assert [2, "bigint", True] in out["flags"][:out["flags"].index("away")]
    assert out["changed"] == [2]
    assert out["after"] is False                  # the conditional STORE of all flags failed
    assert out["qresync"] and out["exists"] == 3
    assert {u for u, vanished, earlier in out["expunged"][away + 1:]
            if vanished and earlier} >= {6}
    assert 5 in [f[0] for f in out["flags"][out["flags"].index("away") + 1:]]


# ---- interimap ---------------------------------------------------------------------------

def interimap_home(site, tmp_path):
    """alice's mail here and bob's there, kept the same."""
    home = tmp_path / "config" / "interimap"
    home.mkdir(parents=True)
    account = """
type = imaps

host = localhost
port = {port}
username = {user}
password = {password}
SSL_verify = YES
SSL_CAfile = {ca}
"""
    (home / "config").write_text("database = sync.db\nlist-mailbox = \"*\"\n" + "".join(
        f"\n[{side}]{account.format(port=site.ports['imaps'], user=user, password=USER_PW, ca=site.certificate)}"
        for side, user in (("local", "alice"), ("remote", "bob"))))
    (home / "config").chmod(0o600)
    data = tmp_path / "data" / "interimap"
    data.mkdir(parents=True)
    for d in (tmp_path / "data", data):
        d.chmod(0o700)
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data"),
            "HOME": str(tmp_path)}


def state(site, user):
    """Of each mailbox what is in it: flags and bytes, in any order."""
    out = {}
    with site.session(user, password=USER_PW) as c:
        for m in c.ok('LIST "" "*"').find(rb'\* LIST \([^)]*\) "/" "?([^"]+)"?$'):
            name = m[1].decode()
            c.select(name, examine=True)
            out[name] = sorted(
                (tuple(sorted(set(f[1].split()) - {b"\\Recent"})), f[2]) for f in
                c.ok("FETCH 1:* (FLAGS BODY.PEEK[])").find(
                    rb"\* \d+ FETCH \(FLAGS \(([^)]*)\) BODY\[\] \{\d+\}\r\n(.*)\)$")) \
                if c.select(name, examine=True).exists else []
    return out


def test_interimap_keeps_two_accounts_the_same(site, client, tmp_path):
    env = interimap_home(site, tmp_path)
    count = len(messages()) + 3
    with site.session("alice", password=USER_PW) as c:
        for _, data in messages():
            c.append("INBOX", data.replace(b"\n", b"\r\n"), "(\\Seen)")
        c.ok("CREATE work")
        c.append("work", eml("plain"))
    with site.session("bob", password=USER_PW) as c:
        for name in ("reply", "qp", "multi"):
            c.append("INBOX", eml(name), "(\\Flagged)")

    def sync():
        return client("interimap", "--debug", env=env, timeout=300)

    sync()
    assert state(site, "alice") == state(site, "bob")
    assert len(state(site, "alice")["INBOX"]) == count

    # changes on both sides: flags, expunged, new; told by QRESYNC alone
    with site.session("alice", password=USER_PW) as c:
        c.select("INBOX")
        c.ok("STORE 2:4 +FLAGS.SILENT (\\Answered $Work)")
        c.ok("STORE 6,8 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.ok("COPY 1 work")
    with site.session("bob", password=USER_PW) as c:
        c.select("INBOX")
        c.ok("STORE 9 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.append("INBOX", eml("plain"))
    log = sync()
    text = (log.stdout + log.stderr).decode(errors="replace")
    assert "QRESYNC" in text and "VANISHED (EARLIER)" in text
    assert state(site, "alice") == state(site, "bob")
    assert len(state(site, "alice")["INBOX"]) in (count - 2, count - 1)  # perhaps one of them twice
    before = state(site, "alice")
    sync()
    assert state(site, "alice") == before == state(site, "bob")


# ---- neomutt -----------------------------------------------------------------------------

@pytest.mark.parametrize("setting", ["imap_condstore", "imap_qresync"])
def test_neomutt_reopens_a_cached_mailbox(site, terminal, tmp_path, setting):
    (tmp_path / "Mail").mkdir()
    cache = tmp_path / "cache"
    cache.mkdir()
    rc = tmp_path / "neomuttrc"
    rc.write_text(f"""
set certificate_file={site.certificate}
set ssl_verify_host=no
set imap_user=alice
set imap_pass="{USER_PW}"
set header_cache={cache}/
set {setting}=yes
set debug_level=3
set debug_file={tmp_path}/debug
set folder={tmp_path}/Mail
set move=no
set delete=yes
set quit=yes
set wait_key=no
""")
    url = f"imaps://localhost:{site.ports['imaps']}/INBOX"

    def visit(keys):
        terminal("neomutt", "-n", "-F", rc, "-f", url, "-e", f'push "{keys}<quit>"',
                 env={"HOME": str(tmp_path)}, expect=None)
        logs = sorted(tmp_path.glob("debug*"), key=lambda p: p.stat().st_mtime)
        text = logs[-1].read_text(errors="replace")
        for p in logs:
            p.unlink()
        return text

    with site.session("alice", password=USER_PW) as c:
        for i in range(6):
            c.append("INBOX", re.sub(rb"(?m)^Subject: .*", b"Subject: %d\r" % i, eml("plain")))
    visit("<first-entry><flag-message><sync-mailbox>")
    with site.session("alice", password=USER_PW) as c:
        c.select()
        c.ok("STORE 3 +FLAGS.SILENT (\\Answered)")
        c.ok("STORE 5:6 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.append("INBOX", eml("reply"))
    # the new one goes; the first is no longer flagged
    text = visit("<first-entry><flag-message><last-entry><delete-message><sync-mailbox>")
    asked = re.search(r"UID FETCH \S+ \(FLAGS\) \(CHANGEDSINCE \d+( VANISHED)?\)", text)
    assert asked and bool(asked[1]) == (setting == "imap_qresync"), text[-3000:]
    if setting == "imap_qresync":
        assert "Handling VANISHED" in text        # (EARLIER); what follows is its own doing
    with site.session("alice", password=USER_PW) as c:
        assert c.select().exists == 4
        assert not c.ok("SEARCH FLAGGED").find(rb"\* SEARCH \d")
        assert c.ok("SEARCH ANSWERED").find(rb"\* SEARCH 3$")


# ---- mbsync ------------------------------------------------------------------------------

def test_mbsync_beside_a_session_with_qresync(site, client, tmp_path):
    """mbsync knows no CONDSTORE: what it changes is told to one who does, with MODSEQ."""
    near = tmp_path / "near"
    inbox = maildir(near / "INBOX")
    for i, (_, data) in enumerate(messages()[:6]):
        (inbox / "cur" / f"{1000000 + i}.{i}.host:2,").write_bytes(data)
    rc = mbsync_config(site, tmp_path / "rc", near, True)
    client("mbsync", "-c", rc, "all", timeout=300)
    with site.session("alice", password=USER_PW) as c:
        c.ok("ENABLE QRESYNC")
        c.ok("SELECT INBOX")
        files = sorted((inbox / "cur").iterdir())
        shutil.move(files[0], str(files[0]).replace(":2,", ":2,F"))
        files[1].unlink()
        client("mbsync", "-c", rc, "all", timeout=300)
        r = c.ok("NOOP")
        assert r.find(rb"\* \d+ FETCH \(UID \d+ FLAGS \([^)]*\\Flagged[^)]*\) MODSEQ \(\d+\)\)$")
        assert r.find(rb"\* VANISHED \d+$")
    assert len(content(inbox)) == 5
