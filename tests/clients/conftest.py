"""A fresh site for every test with a real client, and a terminal for those that want one."""

import os
import pathlib
import pty
import select
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "server"))

from harness import Site  # noqa: E402


@pytest.fixture
def site():
    with Site(pool=4) as s:
        s.certificate = s.dir / "tls" / "certificate.pem"
        yield s


@pytest.fixture
def client():
    """Runs a program; fails unless it exits with `expect`."""
    def run(*args, stdin=b"", expect=0, timeout=300, env=None, cwd=None):
        res = subprocess.run([str(a) for a in args], input=stdin, capture_output=True,
                             timeout=timeout, cwd=cwd,
                             env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})
        assert expect is None or res.returncode == expect, (
            args, res.returncode, res.stdout[-3000:], res.stderr[-3000:])
        return res
    return run


@pytest.fixture
def terminal():
    """Runs a program on a terminal; `answers`: [(prompt, what is typed)]."""
    def run(*args, answers=(), timeout=60, env=None, expect=0):
        pid, fd = pty.fork()
        if pid == 0:
            os.environ.update({"LC_ALL": "C.UTF-8", "TERM": "xterm", **(env or {})})
            os.execvp(str(args[0]), [str(a) for a in args])
        seen, left, from_ = b"", list(answers), 0
        end = time.monotonic() + timeout
        try:
            while time.monotonic() < end:
                if not select.select([fd], [], [], 0.2)[0]:
                    continue
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                seen += data
                if left and left[0][0] in seen[from_:]:
                    from_ = len(seen)
                    os.write(fd, left.pop(0)[1])
            else:
                os.kill(pid, 9)
                raise AssertionError(f"{args} did not end: {seen[-3000:]!r}")
        finally:
            status = os.waitpid(pid, 0)[1]
            os.close(fd)
        code = os.waitstatus_to_exitcode(status)
        assert expect is None or code == expect, (args, code, seen[-3000:])
        return seen
    return run


@pytest.fixture(scope="session")
def node_modules():
    """The npm packages of package-lock.json, installed once."""
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True,
                       capture_output=True, timeout=300)
    return HERE / "node_modules"
