"""Mail::IMAPClient (Perl)."""

import pathlib

from harness import ADMIN, ADMIN_PW, USER_PW

SCRIPT = pathlib.Path(__file__).parent / "imapclient.pl"


def test_mail_imapclient_round(site, client):
    for ssl in ("1", "0"):
        user = "alice" if ssl == "1" else "bob"
        res = client("perl", SCRIPT, site.ports["imaps" if ssl == "1" else "imap"], ssl,
                     user, USER_PW, site.certificate)
        assert res.stdout == b"all fine\n"


def test_mail_imapclient_acts_for_another_user(site, client):
    res = client("perl", SCRIPT, site.ports["imaps"], "1", ADMIN, ADMIN_PW,
                 site.certificate, "carol")
    assert res.stdout == b"all fine\n"
    with site.session("carol", password=USER_PW) as c:
        assert c.select("INBOX").exists == 1
