"""Evolution's IMAP engine (evolution-data-server's Camel): flags both ways, and what others
expunge, told by VANISHED (RFC 7162).  It enables QRESYNC, and opens a mailbox without the
parameter of SELECT; without Evolution around it its flags go out the next time it keeps any."""

import json
import pathlib
import subprocess

import pytest

from harness import USER_PW, eml, environment

HERE = pathlib.Path(__file__).parent
PYTHON = "/usr/bin/python3"             # Debian's, which has the bindings


@pytest.fixture(scope="module")
def providers(tmp_path_factory):
    """Camel's IMAP provider. The package that holds it brings a whole desktop: only its
    files are taken."""
    there = pathlib.Path("/usr/lib/evolution-data-server/camel-providers")
    if (there / "libcamelimapx.so").exists():
        return there
    folder = tmp_path_factory.mktemp("camel")
    folder.chmod(0o755)
    got = subprocess.run(["apt-get", "-qq", "download", "evolution-data-server"], cwd=folder,
                         capture_output=True, timeout=120)
    if got.returncode:
        pytest.skip(f"apt-get download evolution-data-server: {got.stderr.decode()[-200:]}")
    package, = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "files"], check=True)
    return folder / "files" / there.relative_to("/")


class Camel:
    def __init__(self, site, providers, home):
        self.argv = [PYTHON, HERE / "camel_qresync.py", str(site.ports["imap"]), "alice", USER_PW,
                     str(home)]
        self.env = dict(environment(), HOME=str(home), EDS_CAMEL_PROVIDER_DIR=str(providers),
                        GSETTINGS_BACKEND="memory", CAMEL_DEBUG="imapx:io",
                        PYTHONWARNINGS="ignore")

    def run(self, *what, meanwhile=None):
        """Returns what it knows in the end, and what was said."""
        p = subprocess.Popen([*self.argv, *what], env=self.env, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = ""
        if meanwhile:
            for line in p.stdout:
                said += line
                if line == "waits\n":
                    break
            meanwhile()
        out, err = p.communicate("\n", timeout=60)
        assert p.returncode == 0, (said + out)[-3000:] + err[-3000:]
        said += out
        last, = (json.loads(line) for line in said.splitlines() if line.startswith('{"messages"'))
        return last, said


def test_evolutions_engine(site, providers, tmp_path):
    camel = Camel(site, providers, tmp_path)
    with site.session("alice", password=USER_PW) as c:
        for name in ("plain", "reply", "multi", "qp"):
            c.append("INBOX", eml(name))
    now, said = camel.run()
    assert [m["flags"] for m in now["messages"].values()] == [[], [], [], []]
    assert now["messages"]["4"]["subject"] == "Grüße from afar" == now["last"]
    assert "ENABLED CONDSTORE QRESYNC" in said

    # what changed while it was away
    with site.session("alice", password=USER_PW) as c:
        c.select()
        c.ok("STORE 1 +FLAGS.SILENT (\\Flagged \\Answered)")
        c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.append("INBOX", eml("lang"))

        # and what changes while it looks
        def meanwhile():
            c.ok("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
            c.ok("UID EXPUNGE 3")
            c.ok("UID STORE 1 -FLAGS.SILENT (\\Answered)")
            c.append("INBOX", eml("plain"), "(\\Seen)")

        now, said = camel.run("wait", "refresh", "+4", "SEEN", "+5", "FLAGGED", "keep",
                              meanwhile=meanwhile)
        assert "* VANISHED 3" in said and "EXPUNGE" not in said
        assert {u: m["flags"] for u, m in now["messages"].items()} == {
            "1": ["FLAGGED"], "4": ["SEEN"], "5": ["FLAGGED"], "6": ["SEEN"]}

        now, said = camel.run("-6", "SEEN", "keep")
        assert "UID STORE" in said
        got = c.ok("UID FETCH 1:* (FLAGS)").find(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)")
        assert {m[1]: set(m[2].split()) - {b"\\Recent"} for m in got} == {
            b"1": {b"\\Flagged"}, b"4": {b"\\Seen"}, b"5": {b"\\Flagged"}, b"6": {b"\\Seen"}}
