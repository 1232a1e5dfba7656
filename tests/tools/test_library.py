"""libmailstile as other programs meet it: what it exports, the programs of doc/client.md compiled
and run against a server, and the Python module."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import harness
from harness import ADMIN, ADMIN_PW, SANITIZER, Site
from settings import PATIENT

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(harness.binary()).resolve().parent
LIBRARY = BUILD / "src" / "client"
PAGE = (TOP / "doc" / "client.md").read_text()
MESSAGE = b"Message-ID: <voice.1@example>\r\nSubject: voice\r\n\r\nhello\r\n"
PUBLIC = set(re.findall(r"\b(mailstile_[a-z_]+)\(", re.sub(
    r"/\*.*?\*/", "", (TOP / "include" / "mailstile.h").read_text(), flags=re.S)))
SHARED = LIBRARY / "libmailstile.so.0"


def symbols(*args):
    text = subprocess.run(["nm", "--defined-only", *args], capture_output=True, text=True,
                          check=True).stdout
    return {line.split()[2] for line in text.splitlines() if len(line.split()) == 3}


SANITIZED = "asan" if b"__asan_init" in SHARED.read_bytes() else ""


def program(language, name):
    return re.search(rf"^```{language} program={name}\n(.*?)^```$", PAGE, re.S | re.M).group(1)


def compile_c(tmp, name, static):
    source, out = tmp / f"{name}.c", tmp / f"{name}-{'static' if static else 'shared'}"
    source.write_text(program("c", name))
    flags = ["-fsanitize=address,undefined"] if SANITIZED else []
    private = ["-luv", "-lssl", "-lcrypto", "-lz", "-lcrypt", "-lidn", "-lpthread"]
    link = [LIBRARY / "libmailstile.a", *private] if static else \
        [f"-L{LIBRARY}", "-lmailstile", f"-Wl,-rpath,{LIBRARY}"]
    subprocess.run(["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror",
                    *flags, f"-I{TOP / 'include'}", source, "-o", out, *link], check=True)
    return out


@pytest.fixture(scope="module")
def site():
    with Site(pool=12, configure=PATIENT) as s:
        yield s


def where(site):
    return ["localhost", str(site.ports["imaps"]), str(site.dir / "tls" / "certificate.pem"), ADMIN]


def run(argv, status=0, **env):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60,
                          env=dict(harness.environment(), PASSWORD=ADMIN_PW, **env))
    assert not SANITIZER.search(done.stderr.encode()), done.stderr
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def python(script, *args, status=0):
    env = {"PYTHONPATH": str(TOP / "bindings" / "python"), "MAILSTILE_LIBRARY": str(SHARED)}
    if SANITIZED:
        env["LD_PRELOAD"] = " ".join(subprocess.run(
            ["cc", f"-print-file-name={name}"], capture_output=True, text=True,
            check=True).stdout.strip() for name in ("libasan.so", "libubsan.so"))
        env["ASAN_OPTIONS"] = "detect_leaks=0"      # Python's own
    return run([sys.executable, "-c", script, *args], status, **env)


# ---- what it is to a linker ----

def test_the_shared_library_exports_what_the_header_declares_under_a_version():
    names = symbols("-D", SHARED)
    shown = {n.split("@")[0] for n in names if "@@MAILSTILE_0" in n}
    assert shown == PUBLIC
    assert {n for n in names if not n.startswith(("mailstile_", "MAILSTILE_0"))} <= set(), names


def test_the_static_library_has_no_other_global_name():
    names = symbols("-g", LIBRARY / "libmailstile.a")
    assert names == PUBLIC


def test_the_library_needs_no_server_and_no_store():
    text = subprocess.run(["readelf", "-d", SHARED], capture_output=True, text=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(\w+?)[.-]", text))
    assert needed <= {"libasan", "libubsan", "libtsan", "libuv", "libssl", "libcrypto", "libz",
                      "libcrypt", "libidn", "libc"}, needed
    assert "libmailstile.so.0" in text      # SONAME


def test_no_signal_is_handled_and_none_is_raised():
    names = subprocess.run(["nm", "-D", "--undefined-only", SHARED], capture_output=True,
                           text=True).stdout
    assert not re.search(r"\bU (signal|sigaction|sigprocmask|raise|kill)@", names)


def test_the_header_is_c_and_cxx(tmp_path):
    for compiler, standard, suffix in (("cc", "c99", "c"), ("c++", "c++11", "cc")):
        source = tmp_path / f"t.{suffix}"
        source.write_text("#include <mailstile.h>\nint main(void) { return 0; }\n")
        subprocess.run([compiler, f"-std={standard}", "-pedantic", "-Wall", "-Werror",
                        f"-I{TOP / 'include'}", "-fsyntax-only", source], check=True)


def test_every_call_of_the_python_module_is_one_of_the_library():
    text = (TOP / "bindings/python/mailstile/_library.py").read_text()
    names = set(re.findall(r'^    "([a-z_]+)": \(', text, re.M))
    assert names and {"mailstile_" + n for n in names} <= PUBLIC


# ---- the programs of the page ----

@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_the_tutorials_gateway_delivers_on_one_connection(site, tmp_path, static):
    users = [site.new_user() for _ in range(3)]
    message = tmp_path / "m.eml"
    message.write_bytes(MESSAGE)
    out = run([compile_c(tmp_path, "deliver", static), *where(site), message, *users]).stdout
    assert out.splitlines() == [f"{u}: UID 1" for u in users] + \
        ["1 connections, 2 changes of user"]
    # One who is not there costs the others nothing.
    done = run([compile_c(tmp_path, "deliver", static), *where(site), message, "nobody-here",
                users[0]], status=1)
    assert "nobody-here: " in done.stderr and f"{users[0]}: UID 2" in done.stdout


def test_the_tutorials_loop_counts(site, tmp_path):
    users = [site.new_user() for _ in range(3)]
    message = tmp_path / "m.eml"
    message.write_bytes(MESSAGE)
    run([compile_c(tmp_path, "deliver", False), *where(site), message, users[1]])
    out = run([compile_c(tmp_path, "count", False), *where(site), *users]).stdout
    assert [re.sub(r" INBOX", "", line) for line in out.splitlines()] == \
        [f"{u}: (UNSEEN {n})" for u, n in zip(users, (0, 1, 0))]


def test_the_tutorials_python_marks_as_heard(site, tmp_path):
    users = [site.new_user() for _ in range(2)]
    message = tmp_path / "m.eml"
    message.write_bytes(MESSAGE)
    run([compile_c(tmp_path, "deliver", False), *where(site), message, users[0]])
    out = python(program("python", "heard"), *where(site), *users).stdout
    assert out.splitlines() == [f"{users[0]} 1", f"{users[1]} 0"]
    out = run([compile_c(tmp_path, "count", False), *where(site), users[0]]).stdout
    assert "(UNSEEN 0)" in out


# ---- the Python module ----

SESSION = r'''
import sys, mailstile
host, port, ca, login, alice, bob = sys.argv[1:]
import os
with mailstile.Client(host, int(port), ca_file=ca, login=login, password=os.environ["PASSWORD"],
                      deadline_ms=30000) as m:
    assert m.user is None
    assert m.act_for(alice) == mailstile.How.CONNECTED and m.user == alice
    body = b"Subject: x\r\n\r\n" + b"0123456789abcde\n" * 20000
    body = body.replace(b"e\n", b"\r\n")
    assert m.append("INBOX", body, ["\\Seen"], 86400) == 1
    r = m.run("SELECT", mailstile.Mailbox("INBOX"))
    assert r.code == "READ-WRITE" and r.find("EXISTS").number == 1
    got = []
    m.fetch(1, got.append)
    assert b"".join(got) == body
    (seq, ) = [d for d in m.run("UID FETCH 1 (FLAGS BODY.PEEK[])").data if d.name == "FETCH"]
    values = seq.values[0]
    assert b"\\Seen" in values[values.index(b"FLAGS") + 1]
    assert values[values.index(b"BODY[]") + 1] == body
    assert m.idle(0.05, lambda d: True) is False
    try:
        m.fetch(1, lambda piece: 1 / 0)
        assert False
    except ZeroDivisionError:
        pass
    try:
        m.run("NOOP")
        assert False
    except mailstile.Error as e:
        assert e.rc == mailstile.Rc.CLOSED
    assert m.act_for(bob) == mailstile.How.RECONNECTED
    try:
        m.run("SELECT", mailstile.Mailbox("Entw\u00fcrfe"))
        assert False
    except mailstile.Error as e:
        assert (e.rc, e.code) == (mailstile.Rc.NO, "NONEXISTENT")
    assert m.act_for(alice) == mailstile.How.SWITCHED
    assert m.stats.connections == 2
try:
    mailstile.Client(host, int(port), login=login, password="x", nonsense=1)
    assert False
except TypeError:
    pass
wrong = mailstile.Client(host, int(port), ca_file=ca, login=login, password="wrong")
try:
    wrong.act_for(alice)
    assert False
except mailstile.Error as e:
    assert e.rc == mailstile.Rc.REFUSED
untrusted = mailstile.Client(host, int(port), login=login, password=os.environ["PASSWORD"])
try:
    untrusted.act_for(alice)
    assert False
except mailstile.Error as e:
    assert e.rc == mailstile.Rc.UNTRUSTED
print("fine", mailstile.version())
'''


def test_the_python_module_does_all_of_it(site):
    out = python(SESSION, *where(site), site.new_user(), site.new_user()).stdout
    assert out.startswith("fine ")
