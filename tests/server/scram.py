"""SCRAM's client, from RFC 5802 alone, for the tests."""

import base64
import hashlib
import hmac
import os

HASHES = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


def b64(data):
    return base64.b64encode(data).decode()


class Scram:
    """One exchange; `binding`: (name, bytes) for a -PLUS form."""

    def __init__(self, conn, user, password, authzid="", hash="SHA-256", binding=None,
                 flag=None):
        self.conn, self.user, self.password = conn, user, password
        self.hash, self.binding = HASHES[hash], binding
        self.mechanism = f"SCRAM-{hash}" + ("-PLUS" if binding else "")
        flag = flag or (f"p={binding[0]}" if binding else "n")
        name = authzid.replace("=", "=3D").replace(",", "=2C")
        self.gs2 = f"{flag},{'a=' + name if authzid else ''},"
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={user},r={self.nonce}"

    def first(self):
        """Sends the first message; the server's first, or None when it refused."""
        self.tag = self.conn.tag()
        self.conn.send(f"{self.tag} AUTHENTICATE {self.mechanism} "
                       f"{b64((self.gs2 + self.bare).encode())}\r\n")
        r = self.conn.response()
        if not r.startswith(b"+ "):
            self.refused = r
            return None
        self.server_first = base64.b64decode(r[2:]).decode()
        return dict(part.split("=", 1) for part in self.server_first.split(","))

    def final(self, server):
        """The client's final message; also what the server must sign."""
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(),
                                     base64.b64decode(server["s"]), int(server["i"]))

        def mac(key, text):
            return hmac.new(key, text, self.hash).digest()

        key = mac(salted, b"Client Key")
        binding = self.gs2.encode() + (self.binding[1] if self.binding else b"")
        without = f"c={b64(binding)},r={server['r']}"
        message = f"{self.bare},{self.server_first},{without}".encode()
        signature = mac(hashlib.new(self.hash, key).digest(), message)
        proof = bytes(x ^ y for x, y in zip(key, signature))
        self.expected = b64(mac(mac(salted, b"Server Key"), message))
        return f"{without},p={b64(proof)}"

    def finish(self, message):
        """Sends the final message; the tagged reply."""
        self.conn.send(b64(message.encode()) + "\r\n")
        r = self.conn.response()
        if r.startswith(b"+ "):
            assert base64.b64decode(r[2:]).decode() == f"v={self.expected}"
            self.conn.send("\r\n")
            return self.conn.finish(self.tag)
        assert r.startswith(self.tag if isinstance(self.tag, bytes) else self.tag.encode()), r
        return r

    def login(self):
        server = self.first()
        return self.refused if server is None else self.finish(self.final(server))


def ok(reply):
    return not isinstance(reply, bytes) and reply.status == "OK"
