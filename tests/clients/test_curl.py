"""curl as an IMAP client (libcurl 7.88)."""

import re

from harness import ADMIN, ADMIN_PW, USER_PW, eml


def url(site, path="", scheme="imaps"):
    return f"{scheme}://localhost:{site.ports[scheme]}/{path}"


def test_curl_uploads_lists_searches_and_fetches(site, client, tmp_path):
    message = tmp_path / "m.eml"
    message.write_bytes(eml("multi"))
    base = ["curl", "-sS", "--cacert", site.certificate, "-u", f"alice:{USER_PW}"]
    client(*base, url(site), "-X", "CREATE box")
    client(*base, "-T", message, url(site, "box"))
    assert b"box" in client(*base, url(site)).stdout
    got = client(*base, url(site, "box;UID=1")).stdout
    assert got == eml("multi")
    got = client(*base, url(site, "box;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)")).stdout
    assert got == b"Subject: two attachments\r\n\r\n"
    got = client(*base, url(site, "box?SUBJECT%20attachments")).stdout
    assert re.search(rb"\* SEARCH 1\r\n", got), got
    got = client(*base, url(site, "box"), "-X", "FETCH 1 FLAGS").stdout
    assert rb"\Seen" in got


def test_curl_starttls_and_plaintext(site, client):
    for more in (["--ssl-reqd", "--cacert", site.certificate], []):
        got = client("curl", "-sS", *more, "-u", f"alice:{USER_PW}",
                     url(site, scheme="imap")).stdout
        assert b"INBOX" in got


def test_curl_wrong_password_is_a_login_error(site, client):
    client("curl", "-sS", "--cacert", site.certificate, "-u", "alice:wrong",
           url(site), expect=67)


def test_curl_acts_for_another_user_by_authzid(site, client, tmp_path):
    message = tmp_path / "m.eml"
    message.write_bytes(eml("plain"))
    base = ["curl", "-sS", "--cacert", site.certificate, "-u", f"{ADMIN}:{ADMIN_PW}",
            "--sasl-authzid", "bob"]
    client(*base, "-T", message, url(site, "INBOX"))
    client(*base, "--sasl-ir", "-T", message, url(site, "INBOX"))
    with site.session("bob", password=USER_PW) as c:
        assert c.select().exists == 2
