"""TLS client certificates, SASL EXTERNAL and PREAUTH (RFC 8437 section 4.2; RFC 4422
appendix A; doc/unauthenticate.md): the certificate stays, what was bound to it ends."""

import base64
import contextlib
import socket
import ssl

import pytest

from authority import Authority, asks_certificates, openssl
from harness import ADMIN, ADMIN_PW, Site, plain, run
from settings import PATIENT, both


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    a = Authority(tmp_path_factory.mktemp("ca"))
    a.issue("gateway")
    a.issue("person", "subjectAltName=email:alice@example.org")
    a.issue("nobody")
    return a


@pytest.fixture(scope="module")
def site(ca):
    with Site(pool=40, configure=both(PATIENT, asks_certificates(ca))) as s:
        yield s


def external(k, authzid=""):
    message = base64.b64encode(authzid.encode()).decode() or "="
    return k.cmd(f"AUTHENTICATE EXTERNAL {message}")


@contextlib.contextmanager
def starttls(site, ca, name):
    with site.connect("plain") as k:
        k.starttls(ca.context(name))
        yield k


def test_U30_certificate_reaches_the_application_by_external(site, ca, alice):
    with starttls(site, ca, "gateway") as k:
        assert "AUTH=EXTERNAL" in k.capability()
        assert external(k).status == "OK"
        k.unauthenticate()
        assert external(k, alice).status == "OK"
    with starttls(site, ca, None) as k:
        assert "AUTH=EXTERNAL" not in k.capability()
        assert external(k, alice).status == "NO"


def test_S28_certificate_is_unbound_and_kept(site, ca, alice, bob):
    """U31, U32: one administrative certificate for one user after another."""
    with starttls(site, ca, "gateway") as k:
        for user in (alice, bob, alice):
            assert external(k, user).status == "OK"
            k.ok(f"CREATE box-of-{user}-{k.tags}")
            k.unauthenticate()
            k.bad('LIST "" *')
    with starttls(site, ca, "person") as k:
        for _ in range(2):
            r = external(k, bob)
            assert r.status == "NO" and "AUTHORIZATIONFAILED" in r.code
            k.bad('LIST "" *')
            assert external(k).status == "OK"
            assert external(k, bob).status == "BAD"
            r = k.cmd("UNAUTHENTICATE")          # alice is no administrator
            assert r.status == "BAD"
            k.ok("NOOP")
            break


def test_certificate_of_nobody_logs_nobody_in(site, ca, alice):
    with starttls(site, ca, "nobody") as k:
        assert "AUTHENTICATIONFAILED" in external(k).code
        assert "AUTHENTICATIONFAILED" in external(k, alice).code
        k.login(alice)                          # a password will do


def test_certificate_of_another_authority_counts_as_none(site, tmp_path, alice):
    other = Authority(tmp_path)
    other.issue("gateway")
    with starttls(site, other, "gateway") as k:
        assert "AUTH=EXTERNAL" not in k.capability()
        assert external(k, alice).status == "NO"
        k.login(alice)


def test_authzid_with_nul_is_refused(site, ca):
    with starttls(site, ca, "gateway") as k:
        assert external(k, "bob\0").status == "NO"
        assert external(k, "x" * 300).status == "NO"


def test_S29_preauth_is_once_and_never_fallen_back_to(ca):
    """U33."""
    with Site(pool=4, configure=both(PATIENT, asks_certificates(ca, preauth=True))) as site:
        alice, bob = site.new_user(), site.new_user()
        with site.connect("tls", context=ca.context("gateway")) as k:
            assert k.greeting.startswith(b"* PREAUTH [CAPABILITY "), k.greeting
            assert b" UNAUTHENTICATE" in k.greeting
            k.ok("CREATE of-root")
            k.unauthenticate()
            k.bad('LIST "" *')
            assert external(k, "no-such-user").status == "NO"
            k.bad('LIST "" *')
            assert external(k, bob).status == "OK"
            assert b"of-root" not in repr(k.ok('LIST "" *')).encode()
            k.unauthenticate()
            k.ok("AUTHENTICATE PLAIN " + plain(alice, ADMIN, ADMIN_PW))
        for name in (None, "nobody"):
            with site.connect("tls", context=ca.context(name)) as k:
                assert k.greeting.startswith(b"* OK [CAPABILITY "), k.greeting
                k.bad('LIST "" *')
                k.login(alice)


def test_revoked_certificate_ends_sessions_and_logs_nobody_in(tmp_path):
    ca = Authority(tmp_path)
    ca.issue("gateway")
    with Site(pool=4, configure=both(PATIENT, asks_certificates(ca))) as site:
        alice = site.new_user()
        context = ca.context("gateway")
        with site.connect("tls", context=context) as k, \
                site.connect("tls", context=context) as waiting:
            assert external(k, alice).status == "OK"
            ca.revoke("gateway")
            site.hangup()
            k.send("n NOOP\r\n")
            assert b"* BYE" in k.expect_eof()
            # the handshake was before; the certificate is looked at again
            assert external(waiting, alice).status == "NO"
        with site.connect("tls", context=context) as k:
            assert external(k, alice).status == "NO"


def test_a_rule_that_is_taken_away_ends_the_sessions_of_its_certificates(tmp_path):
    ca = Authority(tmp_path)
    ca.issue("gateway")
    with Site(pool=4, configure=both(PATIENT, asks_certificates(ca))) as site:
        alice = site.new_user()
        with site.connect("tls", context=ca.context("gateway")) as k:
            assert external(k, alice).status == "OK"
            site.hangup()
            k.ok("NOOP")
            site.configure(lambda text: text.replace("CN=gateway,O=", "CN=gate,O="))
            site.hangup()
            k.send("n NOOP\r\n")
            assert b"* BYE" in k.expect_eof()


def test_a_user_without_password_may_come_by_certificate(tmp_path):
    ca = Authority(tmp_path)
    ca.issue("machine", "subjectAltName=email:machine@example.org")
    with Site(configure=both(PATIENT, asks_certificates(ca))) as site:
        run("user", "add", site.dir, "machine", "--no-password")
        site.hangup()
        with site.connect("tls", context=ca.context("machine")) as k:
            assert external(k).status == "OK"
            site.hangup()
            k.ok("NOOP")


@pytest.mark.parametrize("change, words", [
    (lambda t: t.replace("tls: implicit", "tls: implicit\n    client-certificates: request", 1),
     "client-authorities"),
    (lambda t: t.replace("tls: starttls", "tls: starttls\n    preauth: certificate", 1),
     "implicit"),
    (lambda t: t.replace("end-of-configuration:",
                         "certificates:\n  - user: x\nend-of-configuration:"), "fingerprint"),
])
def test_what_cannot_work_is_refused_with_a_sentence(change, words):
    site = Site(start=False)
    try:
        site.configure(change)
        done = run("serve", site.dir, check=False)
        assert done.returncode != 0 and words.encode() in done.stderr, done.stderr
    finally:
        site.stop()


def test_a_chain_that_the_client_sends_is_there_each_time(tmp_path):
    """A resumed session would have the certificate without what it was verified by."""
    ca = Authority(tmp_path)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", *key, "-keyout", "i.key", "-out", "i.csr", "-subj", "/CN=Between",
            "-addext", "basicConstraints=critical,CA:TRUE", cwd=tmp_path)
    openssl("ca", "-batch", "-config", "ca.cnf", "-in", "i.csr", "-out", "i.pem", "-notext",
            cwd=tmp_path)
    openssl("req", *key, "-keyout", "gateway.key", "-out", "gateway.csr",
            "-subj", "/O=Example/CN=gateway", cwd=tmp_path)
    openssl("x509", "-req", "-in", "gateway.csr", "-CA", "i.pem", "-CAkey", "i.key",
            "-CAcreateserial", "-days", "2", "-out", "leaf.pem", cwd=tmp_path)
    (tmp_path / "gateway.pem").write_text((tmp_path / "leaf.pem").read_text()
                                          + (tmp_path / "i.pem").read_text())

    def without_lists(text):        # nobody lists what the one between has revoked
        return text.replace(f"  client-revocations: {tmp_path}/crl.pem\n", "")

    with Site(pool=4, configure=both(PATIENT, asks_certificates(ca), without_lists)) as site:
        alice = site.new_user()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ca.context("gateway")
            context.maximum_version = version
            session = None
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", site.ports["imaps"])) as raw, \
                        context.wrap_socket(raw, session=session) as k:
                    k.settimeout(20)
                    assert k.recv(2000).startswith(b"* OK")
                    name = base64.b64encode(alice.encode())
                    k.sendall(b"a AUTHENTICATE EXTERNAL " + name + b"\r\n")
                    assert k.recv(2000).startswith(b"a OK")
                    session = k.session
