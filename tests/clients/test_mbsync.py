"""mbsync (isync): two-way synchronisation of all samples with a Maildir."""

import re

import pytest

from harness import USER_PW, eml
from samples import crlf, messages


def config(site, path, near, tls):
    path.write_text(f"""
IMAPAccount account
Host localhost
Port {site.ports['imaps' if tls else 'imap']}
User alice
Pass "{USER_PW}"
SSLType {'IMAPS' if tls else 'STARTTLS'}
CertificateFile {site.certificate}
Timeout 120

IMAPStore far
Account account

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    return path


def maildir(path):
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def content(path):
    """The messages of a Maildir without the header that mbsync adds."""
    return sorted(re.sub(rb"(?m)^X-TUID: .{12}\n", b"", p.read_bytes(), count=1)
                  for d in ("cur", "new") for p in (path / d).iterdir())


def listing(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()
                  and not p.name.startswith("."))


@pytest.mark.parametrize("tls", [True, False], ids=["imaps", "starttls"])
def test_mbsync_two_way_sync(site, client, tmp_path, tls):
    samples = messages() if tls else messages()[:8]
    near = tmp_path / "near"
    inbox, box = maildir(near / "INBOX"), maildir(near / "box")
    for i, (_, data) in enumerate(samples):
        where = inbox if i % 3 else box
        (where / "cur" / f"{1000000 + i}.{i}.host:2,{'S' if i % 2 else 'F'}").write_bytes(data)
    rc = config(site, tmp_path / "rc", near, tls)

    def sync(rc=rc):
        return client("mbsync", "-c", rc, "all", timeout=900)

    def numbers():
        with site.session("alice", password=USER_PW) as c:
            return [repr(c.ok(f"STATUS {b} (MESSAGES UIDNEXT UNSEEN)", tag="s"))
                    for b in ("INBOX", "box")]

    sync()
    # every byte is there
    with site.session("alice", password=USER_PW) as c:
        got = []
        for name in ("INBOX", "box"):
            c.select(name, examine=True)
            for m in c.ok("FETCH 1:* BODY.PEEK[]").find(rb"\* \d+ FETCH \(.*?\{\d+\}\r\n(.*)\)$"):
                got.append(re.sub(rb"X-TUID: .{12}\r\n", b"", m[1], count=1))
    assert sorted(got) == sorted(crlf(d) for _, d in samples)
    assert sorted(content(inbox) + content(box)) == sorted(d for _, d in samples)

    # the second sync is a no-op
    before = numbers(), listing(near)
    sync()
    assert (numbers(), listing(near)) == before

    # changes on both sides
    with site.session("alice", password=USER_PW) as c:
        c.select("box")
        c.ok("STORE 1 +FLAGS.SILENT (\\Answered)")
        c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.append("INBOX", eml("plain"), "(\\Flagged)")
        c.ok("CREATE fresh/deep")
    first = next((inbox / "cur").iterdir())
    first.rename(first.parent / (re.sub(r":2,.*", "", first.name) + ":2,RS"))
    sync()
    assert len(content(box)) == len([i for i in range(len(samples)) if not i % 3]) - 1
    assert len(content(inbox)) == \
        len([i for i in range(len(samples)) if i % 3]) + 1
    assert any(p.name.endswith(("R", "FR", "RS", "FRS")) or "R" in p.name.split(":2,")[1]
               for p in (box / "cur").iterdir())
    with site.session("alice", password=USER_PW) as c:
        c.select("INBOX")
        assert c.ok("SEARCH ANSWERED").find(rb"\* SEARCH \d+$")
    before = numbers(), listing(near)
    sync()
    assert (numbers(), listing(near)) == before

    # a second Maildir gets the same bytes
    other = tmp_path / "other"
    other.mkdir()
    sync(config(site, tmp_path / "rc2", other, tls))
    for name in ("INBOX", "box"):
        assert content(other / name) == content(near / name)
