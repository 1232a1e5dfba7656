"""A throw-away certificate authority for tests, and a server's settings that trust it."""

import ssl
import subprocess

from harness import ADMIN


def openssl(*args, cwd):
    subprocess.run(["openssl", *args], cwd=cwd, check=True, capture_output=True)


class Authority:
    """A throw-away CA with client certificates."""

    def __init__(self, folder):
        self.dir = folder
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "crlnumber").write_text("01\n")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=c\n[c]\ndir=.\ndatabase=index.txt\nserial=serial\n"
            "new_certs_dir=.\ncrlnumber=crlnumber\ncertificate=ca.pem\nprivate_key=ca.key\n"
            "default_md=sha256\ndefault_days=2\ndefault_crl_days=2\npolicy=p\n"
            "copy_extensions=copy\nunique_subject=no\n"
            "[p]\norganizationName=optional\ncommonName=supplied\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA",
                "-addext", "basicConstraints=critical,CA:TRUE", cwd=folder)
        self.publish()

    def issue(self, name, *more):
        extra = [x for e in more for x in ("-addext", e)]
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/O=Example/CN={name}", *extra, cwd=self.dir)
        openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out",
                f"{name}.pem", "-notext", cwd=self.dir)
        return name

    def revoke(self, name):
        openssl("ca", "-config", "ca.cnf", "-revoke", f"{name}.pem", cwd=self.dir)
        self.publish()

    def publish(self):
        openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem", cwd=self.dir)

    def context(self, name=None):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        if name:
            c.load_cert_chain(self.dir / f"{name}.pem", self.dir / f"{name}.key")
        return c


def asks_certificates(ca, preauth=False):
    """Asks for certificates; the gateway's is the administrator's."""
    def change(text):
        text = text.replace("tls:\n", f"tls:\n  client-authorities: {ca.dir}/ca.pem\n"
                            f"  client-revocations: {ca.dir}/crl.pem\n", 1) \
            if "\ntls:\n" in text else \
            f"tls:\n  client-authorities: {ca.dir}/ca.pem\n" \
            f"  client-revocations: {ca.dir}/crl.pem\n" + text
        out = []
        for line in text.split("\n"):
            out.append(line)
            if line.strip() in ("tls: starttls", "tls: implicit"):
                indent = line[:len(line) - len(line.lstrip())]
                out.append(indent + "client-certificates: request")
                if preauth and "implicit" in line:
                    out.append(indent + "preauth: certificate")
        return "\n".join(out).replace(
            "end-of-configuration:",
            "certificates:\n"
            f'  - subject: "CN=gateway,O=Example"\n    user: {ADMIN}\n'
            '  - email: "*@example.org"\n    user: "{local-part}"\n'
            "end-of-configuration:")
    return change
