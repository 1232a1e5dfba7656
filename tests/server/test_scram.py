"""SCRAM (RFC 5802, RFC 7677), with channel binding (RFC 5929, RFC 9266), and what it leaves
behind (RFC 8437; doc/unauthenticate.md)."""

import hashlib
import ssl
import subprocess
import time

import pytest

from harness import ADMIN, ADMIN_PW, USER_PW, Site, run
from scram import Scram, b64, ok
from settings import PATIENT, limit


@pytest.fixture(scope="module")
def site():
    with Site(pool=40, configure=PATIENT) as s:
        yield s


def end_point(site):
    pem = (site.dir / "tls" / "certificate.pem").read_text()
    return "tls-server-end-point", hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


def tls12():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("hash", ["SHA-1", "SHA-256", "SHA-512"])
def test_login_and_acting_for_another(site, how, alice, hash):
    with site.connect(how) as k:
        assert f"AUTH=SCRAM-{hash}" in k.capability()
        assert ok(Scram(k, ADMIN, ADMIN_PW, alice, hash).login())
        k.unauthenticate()
        assert ok(Scram(k, "bob", USER_PW, hash=hash).login())
        k.ok("SELECT INBOX")


def test_bound_forms_are_offered_with_tls_only(site):
    with site.connect("plain") as k:
        assert not [c for c in k.capability() if c.endswith("-PLUS")]
        k.no("AUTHENTICATE SCRAM-SHA-256-PLUS", code="PRIVACYREQUIRED")
        k.starttls()
        assert "AUTH=SCRAM-SHA-256-PLUS" in k.capability()


def test_S27_binding_holds_for_one_login_after_another(site, alice, bob):
    with site.connect("tls") as k:
        for user in (alice, bob):
            right = end_point(site)
            wrong = right[0], bytes(len(right[1]))
            assert not ok(Scram(k, ADMIN, ADMIN_PW, user, binding=wrong).login())
            k.bad("SELECT INBOX")
            assert ok(Scram(k, ADMIN, ADMIN_PW, user, binding=right).login())
            k.unauthenticate()


def test_tls_unique_is_for_tls_1_2(site, alice):
    with site.connect("plain") as k:
        k.starttls(tls12())
        binding = "tls-unique", k.sock.get_channel_binding("tls-unique")
        assert ok(Scram(k, ADMIN, ADMIN_PW, alice, binding=binding).login())
    with site.connect("tls") as k:
        assert k.sock.version() == "TLSv1.3"
        binding = "tls-unique", b"\0" * 12
        assert Scram(k, ADMIN, ADMIN_PW, alice, binding=binding).first() is None


def test_a_stripped_offer_is_noticed(site, alice):
    """RFC 5802 section 6: "y" says that the client saw no -PLUS, but there was one."""
    with site.connect("tls") as k:
        assert Scram(k, ADMIN, ADMIN_PW, alice, flag="y").first() is None
        assert ok(Scram(k, ADMIN, ADMIN_PW, alice, flag="n").login())
    with site.connect("plain") as k:
        assert ok(Scram(k, ADMIN, ADMIN_PW, alice, flag="y").login())


def test_S24_what_proved_once_proves_nothing_again(site, how, alice):
    with site.connect(how) as k:
        one = Scram(k, ADMIN, ADMIN_PW, alice)
        message = one.final(one.first())
        assert ok(one.finish(message))
        k.unauthenticate()
        two = Scram(k, ADMIN, ADMIN_PW, alice)
        two.nonce, two.bare = one.nonce, one.bare
        two.first()
        assert not ok(two.finish(message))
        k.bad("SELECT INBOX")


def salt(site, name, hash="SHA-256"):
    with site.connect() as k:
        server = Scram(k, name, "x", hash=hash).first()
        k.send("*\r\n")
        return server["s"], server["i"]


def test_who_does_not_exist_looks_like_who_does():
    with Site(configure=PATIENT) as site:
        nobody = salt(site, "nobody")
        assert nobody == salt(site, "nobody") != salt(site, "nobody2")
        assert [len(x) for x in nobody] == [len(x) for x in salt(site, "alice")]
        assert salt(site, "NOBODY") == nobody and salt(site, "ALICE") == salt(site, "alice")
        assert salt(site, "nobody", "SHA-1") != nobody
        site.restart()
        assert salt(site, "nobody") == nobody
        with site.connect() as k:
            replies = [Scram(k, name, "wrong").login() for name in ("nobody", "alice", "root")]
        assert len({r.split(b" ", 1)[1] for r in replies}) == 1, replies
        run("user", "passwd", site.dir, "alice", "--no-password")
        site.hangup()
        with site.connect() as k:
            assert not ok(Scram(k, "alice", USER_PW).login())


def test_acting_for_another_needs_the_right(site, how, alice):
    with site.connect(how) as k:
        for authzid in (alice, "nobody"):
            r = Scram(k, "bob", USER_PW, authzid).login()
            assert r.status == "NO" and "AUTHORIZATIONFAILED" in r.code
        k.bad("SELECT INBOX")


def test_failed_proofs_count_as_failed_logins():
    with Site(configure=limit("failed-logins", 2)) as site:
        with site.connect() as k:
            assert not ok(Scram(k, "alice", "wrong").login())
            assert not ok(Scram(k, "alice", "wrong").login())
            assert b"BYE" in k.expect_eof()


def test_passwords_are_prepared(site):
    """RFC 4013: what two keyboards type alike is alike."""
    password = site.tmp / "prepared"
    password.write_text("I\u00adX\u2168\n")
    run("user", "add", site.dir, "ines", "--password-file", password)
    site.hangup()
    with site.connect() as k:
        assert ok(Scram(k, "ines", "IXIX").login())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                       "SCRAM-SHA-256-PLUS"])
def test_gnu_sasl_logs_in(site, mechanism):
    tls = (["--starttls", "--x509-ca-file", site.dir / "tls" / "certificate.pem"]
           if mechanism.endswith("PLUS") else ["--no-starttls"])
    done = subprocess.run(["gsasl", "--client", "--imap", *map(str, tls), "-m", mechanism,
                           "-a", "alice", "-p", USER_PW,
                           "--connect", f"localhost:{site.ports['imap']}"],
                          input=b"", capture_output=True, timeout=60)
    assert done.returncode == 0, done
    assert b"server trusted" in done.stderr + done.stdout


def test_an_address_that_failed_waits_before_its_proof_is_looked_at():
    """Not behind it: who guesses wrong would leave and ask anew, and a right guess is told
    by the server's signature."""
    with Site(pool=4, configure=lambda text: limit("first-delay-milliseconds", 400)(
            limit("free-failures", 2)(text))) as s:
        alice = s.new_user()
        for _ in range(3):
            with s.connect() as k:
                assert not ok(Scram(k, ADMIN, "guess", alice).login())
        with s.connect() as k:
            c = Scram(k, ADMIN, ADMIN_PW, alice)
            message = c.final(c.first())
            start = time.monotonic()
            k.send(b64(message.encode()) + "\r\n")
            assert k.response().startswith(b"+ ")
            assert time.monotonic() - start >= 0.35
            start = time.monotonic()
            k.send("\r\n")
            k.finish(c.tag).ok()
            assert time.monotonic() - start < 0.35, "it waited for that proof already"
