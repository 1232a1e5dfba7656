"""imapflow (npm)."""

import json
import pathlib

from harness import USER_PW

SCRIPT = pathlib.Path(__file__).parent / "imapflow.js"


def test_imapflow_round(site, client, node_modules):
    for secure in ("true", "false"):
        user = "alice" if secure == "true" else "bob"
        res = client("node", SCRIPT, site.ports["imaps" if secure == "true" else "imap"],
                     secure, user, USER_PW, site.certificate,
                     env={"NODE_PATH": str(node_modules)})
        out = json.loads(res.stdout)
        assert out["boxes"] == ["INBOX", "Sünde", "box"]
        assert out["sent"] == "\\Sent"
        assert out["uids"] == [1, 2, 3]
        assert out["same"] is True
        assert out["subject"] == "Grüße"
        assert out["found"] == [2]
        assert out["flags"] == ["$Important", "\\Flagged"]
        assert out["moved"] == 1 and out["left"] == 2
        assert out["exists"] == 3          # told in IDLE
