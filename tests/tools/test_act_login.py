"""How `mailstile act` proves who its administrator is: PLAIN, SCRAM (RFC 5802), EXTERNAL with a
client certificate (RFC 4422 appendix A); one connection for all users with each of them."""

import json
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import harness
from authority import Authority, asks_certificates
from harness import ADMIN, ADMIN_PW, SANITIZER, Site
from settings import PATIENT, both


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    a = Authority(tmp_path_factory.mktemp("ca"))
    a.issue("gateway")
    a.issue("nobody")
    return a


@pytest.fixture(scope="module")
def site(ca):
    with Site(pool=20, configure=both(PATIENT, asks_certificates(ca))) as s:
        yield s


@pytest.fixture(scope="module")
def users(site):
    return [site.new_user() for _ in range(5)]


def act(site, users, *args, server=None, password=ADMIN_PW, status=0):
    names = site.dir / "act-users"
    names.write_text("".join(u + "\n" for u in users))
    ports = site.ports
    argv = [harness.binary(), "act", "--server", server or f"imaps://127.0.0.1:{ports['imaps']}",
            "--as", ADMIN, "--users", names]
    if not server:
        argv += ["--ca", site.dir / "tls" / "certificate.pem"]
    if password:
        argv += ["--password-file", site.password_file("act-login", password)]
    done = subprocess.run([str(a) for a in (*argv, *args)], capture_output=True, text=True,
                          timeout=120, env=harness.environment(), stdin=subprocess.DEVNULL)
    assert not SANITIZER.search(done.stderr.encode()), done.stderr
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def epochs(site, start):
    return [e for e in site.log()[start:] if e.get("event") == "epoch"]


SCRAM = [f"SCRAM-SHA-{h}{p}" for h in ("1", "256", "512") for p in ("", "-PLUS")]


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
def test_each_mechanism_acts_for_all_over_one_connection(site, users, mechanism):
    start = len(site.log())
    out = act(site, users, "--mechanism", mechanism, "--json", "status", "INBOX").stdout
    assert {json.loads(x)["user"] for x in out.splitlines()} == set(users)
    site.wait_log(lambda e: e.get("event") == "epoch" and e.get("authzid") == users[-1], start)
    mine = epochs(site, start)
    assert [e["authzid"] for e in mine] == users
    assert {e["mechanism"] for e in mine} == {mechanism}
    assert len({e["connection"] for e in mine}) == 1


def test_external_takes_the_certificate_for_the_credential(site, ca, users):
    start = len(site.log())
    act(site, users, "--mechanism", "EXTERNAL", "--certificate", ca.dir / "gateway.pem",
        "--key", ca.dir / "gateway.key", "status", password=None)
    site.wait_log(lambda e: e.get("event") == "epoch" and e.get("authzid") == users[-1], start)
    assert {e["mechanism"] for e in epochs(site, start)} == {"EXTERNAL"}


@pytest.mark.parametrize("args,password,words", [
    (["--mechanism", "SCRAM-SHA-256"], "wrong", "User name or password is wrong"),
    (["--mechanism", "CRAM-MD5"], ADMIN_PW, "--mechanism CRAM-MD5 is not known here"),
    (["--mechanism", "EXTERNAL"], None, "--certificate"),
    (["--certificate", "x.pem"], ADMIN_PW, "--certificate and --key go together"),
    ([], None, "--password-file is missing"),
])
def test_what_cannot_be_is_said(site, users, args, password, words):
    status = 3 if password == "wrong" else 2
    done = act(site, users, *args, "status", password=password, status=status)
    assert words in done.stderr, done.stderr


def test_a_certificate_that_is_nobodys_logs_nobody_in(site, ca, users):
    done = act(site, users, "--mechanism", "EXTERNAL", "--certificate", ca.dir / "nobody.pem",
               "--key", ca.dir / "nobody.key", "status", password=None, status=3)
    assert "AUTHENTICATIONFAILED" in done.stderr or "wrong" in done.stderr, done.stderr


def test_no_binding_without_tls(site, users):
    done = act(site, users, "--mechanism", "SCRAM-SHA-256-PLUS", "--plaintext", "status",
               server=f"imap://127.0.0.1:{site.ports['imap']}", status=3)
    assert "does not offer AUTH=SCRAM-SHA-256-PLUS" in done.stderr, done.stderr
