"""saslauthd's socket, played by a test; and a real one that asks another site by IMAP."""

import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from harness import wait_until

REAL = shutil.which("saslauthd", path="/usr/sbin:/usr/bin:/sbin:/bin")


def block(path, name="company", more=""):
    return f"  - name: {name}\n    type: saslauthd\n    socket: \"{path}\"\n{more}"


class Fake:
    """Answers by `answer(user, password, service, realm)`: the bytes of the string, or None
    to say nothing and keep the connection, or a list of raw bytes to send."""

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="mailstile-sasl-")
        self.path = pathlib.Path(self.tmp.name) / "mux"
        self.people, self.asked, self.held = {}, [], []
        self.answer = self.judge
        self.up()

    def judge(self, user, password, service, realm):
        return b"OK" if self.people.get(user) == password else b"NO authentication failed"

    def up(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(self.path))
        self.sock.listen(32)
        threading.Thread(target=self.serve, args=[self.sock], daemon=True).start()

    def down(self):
        self.path.unlink()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def close(self):
        self.down()
        for k in self.held:
            k.close()
        self.tmp.cleanup()

    def serve(self, sock):
        while True:
            try:
                k, _ = sock.accept()
            except OSError:
                return
            try:
                self.one(k)
            except (OSError, EOFError):
                k.close()

    def one(self, k):
        strings = []
        for _ in range(4):
            (n,) = struct.unpack(">H", self.exactly(k, 2))
            strings.append(self.exactly(k, n).decode())
        self.asked.append(tuple(strings))
        said = self.answer(*strings)
        if said is None:
            self.held.append(k)
            return
        for piece in said if isinstance(said, list) else [struct.pack(">H", len(said)) + said]:
            k.sendall(piece)
            time.sleep(0.01)
        k.close()

    @staticmethod
    def exactly(k, n):
        out = b""
        while len(out) < n:
            more = k.recv(n - len(out))
            if not more:
                raise EOFError
            out += more
        return out


class Real:
    """saslauthd -a rimap: whoever can log in at that port."""

    def __init__(self, port):
        self.tmp = tempfile.TemporaryDirectory(prefix="mailstile-sasl-")
        self.path = pathlib.Path(self.tmp.name) / "mux"
        self.proc = subprocess.Popen(
            [REAL, "-d", "-n", "2", "-a", "rimap", "-O", f"127.0.0.1/{port}", "-m", self.tmp.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)     # it ends its whole process group
        wait_until(self.path.exists, what="saslauthd's socket")

    def close(self):
        self.proc.terminate()
        self.proc.wait()
        self.tmp.cleanup()
