"""The command line: init, serve, user, check, as an operator meets them."""

import pathlib
import re
import signal
import stat
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import harness
from harness import ADMIN, ADMIN_PW, Site, run

PW = "another secret"


def out(*args, **kw):
    return run(*args, **kw).stdout.decode()


def refused(status, part, *args, **kw):
    res = run(*args, check=False, **kw)
    text = (res.stdout + res.stderr).decode()
    assert res.returncode == status, text
    assert part in text, text
    return text


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def login(site, user, password, authzid=""):
    with site.connect("plain") as c:
        return c.cmd(f"AUTHENTICATE PLAIN {harness.plain(authzid, user, password)}").status


@pytest.fixture
def cold(tmp_path):
    out("init", tmp_path / "site")
    return tmp_path / "site"


# ---- usage ---------------------------------------------------------------

@pytest.mark.parametrize("args, part", [
    ((), "usage:"),
    (("frobnicate",), 'no command "frobnicate"'),
    (("--frobnicate",), 'no option "--frobnicate"'),
    (("init",), "DIR is missing"),
    (("init", "a", "b"), "one argument too many"),
    (("init", "a", "--imap"), "--imap wants a value"),
    (("init", "a", "--imap", "70000"), "A port is"),
    (("init", "a", "--imap", "5", "--imaps", "5"), "different ports"),
    (("init", "a", "--admin", "a b"), "cannot be the name"),
    (("init", "a", "--plaintext-login=yes"), "takes no value"),
    (("serve",), "DIR is missing"),
    (("serve", "a", "--fast"), 'Unknown option "--fast"'),
    (("serve", "a", "-x"), 'Unknown option "-x"'),
    (("check",), "DIR is missing"),
    (("user",), "is missing"),
    (("user", "make", "a"), "add, passwd, groups, del or list"),
    (("user", "add"), "DIR is missing"),
    (("user", "del", "a"), "NAME is missing"),
    (("user", "passwd", "a", "b", "--admin"), "are for add"),
    (("user", "list", "a", "--no-password"), "takes no password"),
    (("act",), "missing"),
])
def test_wrong_usage_says_so_and_exits_2(args, part):
    refused(2, part, *args)


@pytest.mark.parametrize("args", [(), ("init",), ("serve",), ("user",), ("check",), ("mailbox",),
                                  ("act",)])
def test_help_explains_and_exits_0(args):
    text = out(*args, "--help")
    assert "usage" in text.lower()
    assert "usage" in out(*args, "-h").lower()


def test_version_is_one_line():
    assert re.fullmatch(r"mailstile \d+\.\d+\.\d+\n", out("--version"))


def test_support_is_a_markdown_table_with_unauthenticate():
    assert re.search(r"^\| UNAUTHENTICATE \|.*8437", out("--support"), re.M)


# ---- init ----------------------------------------------------------------

def test_init_makes_a_complete_site_and_prints_the_password_once(tmp_path):
    site = tmp_path / "a" / "site"
    text = out("init", site)
    assert re.search(r"admin, password [a-z0-9]{24} \(shown this once\)", text)
    assert mode(site) == 0o700
    assert mode(site / "tls" / "key.pem") == 0o600
    assert mode(site / "users") == 0o600
    key = subprocess.run(["openssl", "pkey", "-in", site / "tls/key.pem", "-noout", "-text"],
                         capture_output=True, check=True).stdout.decode()
    assert "prime256v1" in key
    assert out("user", "list", site) == "admin\tadmin\tpassword\n"
    assert "is sound" in out("check", site)


def test_init_leaves_what_is_there_alone(tmp_path):
    out("init", tmp_path / "site")
    before = (tmp_path / "site" / "users").read_bytes()
    refused(1, "holds a site already", "init", tmp_path / "site")
    assert (tmp_path / "site" / "users").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    refused(1, "not empty", "init", tmp_path / "other")
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["file"]


def test_init_that_fails_leaves_nothing(tmp_path):
    refused(1, "not an IPv4", "init", tmp_path / "site", "--listen", "localhost")
    assert not (tmp_path / "site").exists()
    refused(1, "Cannot read the password file", "init", tmp_path / "site",
            "--password-file", tmp_path / "absent")
    assert not (tmp_path / "site").exists()


def test_the_manual_has_every_key_with_its_default(cold):
    page = (harness.ROOT / "doc/man/mailstile.yaml.5.scd").read_text()
    for key, value in re.findall(r"^ *(?:- )?([a-z-]+): *(.*)$",
                                 (cold / "mailstile.yaml").read_text(), re.M):
        at = re.search(rf"\*{key}\*.*?(?=\n\n\*|\n# |\Z)", page, re.S)
        assert at, key
        if value.isdigit() and key != "port":
            assert re.search(rf"default\s+{value}\.$", at[0].rstrip()), (key, at[0])


# ---- user ----------------------------------------------------------------

def names(site, *pattern):
    return [line.split("\t")[0] for line in out("user", "list", site, *pattern).splitlines()]


def test_users_are_added_listed_and_deleted(cold):
    out("user", "add", cold, "Bob", "--no-password")
    assert out("user", "add", cold, stdin=b"u1\n\nu2 \nJ\xc3\xb6rg\n") == "3 users added.\n"
    assert names(cold) == ["admin", "bob", "u1", "u2", "jörg"]
    assert names(cold, "u?") == ["u1", "u2"]
    out("user", "del", cold, "U1")
    assert names(cold) == ["admin", "bob", "u2", "jörg"]


def test_a_list_with_a_fault_adds_nobody(cold):
    refused(1, 'There is a user "u1"', "user", "add", cold, stdin=b"u1\nu2\nu1\n")
    refused(1, '"a b" cannot be', "user", "add", cold, stdin=b"u1\na b\n")
    assert names(cold) == ["admin"]


def test_faults_of_users_are_said(cold):
    refused(1, 'There is a user "ADMIN"', "user", "add", cold, "ADMIN", "--no-password")
    refused(1, 'There is no user "x"', "user", "del", cold, "x")
    refused(1, 'There is no user "x"', "user", "passwd", cold, "x", "--no-password")
    refused(1, "no terminal", "user", "passwd", cold, "admin", stdin=b"")
    refused(1, "Cannot read", "user", "list", cold / "absent")
    (cold / "empty").write_text("\n")
    refused(1, "empty", "user", "passwd", cold, "admin", "--password-file", cold / "empty")


def test_tools_side_by_side_lose_no_user(cold):
    procs = [subprocess.Popen([harness.binary(), "user", "add", str(cold), f"p{i}",
                               "--no-password"], env=harness.environment())
             for i in range(8)]
    assert [p.wait(60) for p in procs] == [0] * 8
    assert sorted(names(cold, "p*")) == [f"p{i}" for i in range(8)]


# ---- check ---------------------------------------------------------------

def test_check_names_each_fault(cold):
    (cold / "tls" / "key.pem").chmod(0o644)
    with open(cold / "users", "a") as f:
        f.write("broken line\n")
    text = refused(1, "2 faults.", "check", cold)
    assert "key.pem can be read by others" in text
    assert re.search(r"users:\d+: A user has four fields", text)


def test_a_configuration_that_was_cut_off_is_refused(cold):
    conf = cold / "mailstile.yaml"
    conf.write_bytes(conf.read_bytes()[:-40])
    for command in ("check", "serve"):
        refused(1, "cut off", command, cold)


def test_an_unknown_key_is_refused_with_its_place(cold):
    conf = cold / "mailstile.yaml"
    conf.write_text(conf.read_text().replace("  connections: ", "  conections: "))
    text = refused(1, 'Unknown key "conections"', "serve", cold)
    assert re.search(r"mailstile\.yaml:\d+:3: ", text)


# ---- serve ---------------------------------------------------------------

@pytest.fixture(scope="module")
def warm():
    with Site(users=("alice", "bob")) as site:
        yield site


def test_a_site_has_one_server(warm):
    refused(1, "runs on", "serve", warm.dir)
    assert "is sound" in out("check", warm.dir)


def test_a_port_in_use_is_said_and_nothing_is_left(tmp_path, warm):
    out("init", tmp_path / "s", "--imap", warm.ports["imap"], "--imaps", 0)
    refused(1, "ddress already in use", "serve", tmp_path / "s")
    assert not (tmp_path / "s" / "mailstile.pid").exists()


def test_users_take_effect_when_the_tool_returns(warm):
    file = warm.password_file("new", PW)
    assert login(warm, "dave", PW) == "NO"
    out("user", "add", warm.dir, "dave", "--password-file", file)
    assert login(warm, "dave", PW) == "OK"
    assert login(warm, ADMIN, ADMIN_PW, "dave") == "OK"
    out("user", "passwd", warm.dir, "dave", "--password-file",
        warm.password_file("newer", PW + "!"))
    assert login(warm, "dave", PW + "!") == "OK"
    assert login(warm, "dave", PW) == "NO"
    out("user", "passwd", warm.dir, "dave", "--no-password")
    assert login(warm, "dave", PW + "!") == "NO"
    assert login(warm, ADMIN, ADMIN_PW, "dave") == "OK"
    out("user", "del", warm.dir, "dave")
    assert login(warm, ADMIN, ADMIN_PW, "dave") == "NO"


def test_only_sessions_no_longer_allowed_get_bye(warm):
    out("user", "add", warm.dir, "erin", "--no-password")
    with warm.session("erin") as gone, warm.session("alice") as stays:
        out("user", "del", warm.dir, "erin")
        assert gone.response().startswith(b"* BYE")
        stays.cmd("NOOP").ok()


def test_a_name_added_again_does_not_see_the_old_mail(warm):
    out("user", "add", warm.dir, "frank", "--no-password")
    with warm.session("frank") as c:
        c.cmd("CREATE Old").ok()
    out("user", "del", warm.dir, "frank")
    out("user", "add", warm.dir, "frank", "--no-password")
    with warm.session("frank") as c:
        assert c.cmd('LIST "" Old').ok().untagged == []


def test_an_edited_user_table_is_noticed_without_a_signal(warm):
    table = warm.dir / "users"
    before = len(warm.log())
    new = warm.dir / "users.edited"
    new.write_text(table.read_text() + "gina:" + "a1" * 16 + ":-:*\n")
    new.rename(table)
    warm.wait_log(lambda e: e.get("event") == "users_changed", before)
    assert login(warm, ADMIN, ADMIN_PW, "gina") == "OK"


def test_reload_with_a_fault_changes_nothing_and_says_why(warm):
    conf = warm.dir / "mailstile.yaml"
    good = conf.read_text()
    before = len(warm.log())
    conf.write_text(good[:-30])
    try:
        warm.hangup()
        entry = warm.wait_log(lambda e: e.get("event") == "reload_failed", before)
        assert "cut off" in entry["reason"]
        assert login(warm, ADMIN, ADMIN_PW, "alice") == "OK"
    finally:
        conf.write_text(good)
        warm.hangup()


def test_reload_takes_a_new_certificate_and_policy(warm, tmp_path):
    with warm.connect("tls") as c:
        first = c.sock.getpeercert(True)
    out("init", tmp_path / "other")
    conf = warm.dir / "mailstile.yaml"
    good = conf.read_text()
    for name in ("certificate.pem", "key.pem"):
        (warm.dir / "tls" / name).write_bytes((tmp_path / "other" / "tls" / name).read_bytes())
    conf.write_text(good.replace('may-become: ["*"]', 'may-become: ["ali*"]'))
    with warm.session("bob") as gone, warm.session("alice") as stays:
        warm.hangup()
        assert gone.response().startswith(b"* BYE")
        stays.cmd("NOOP").ok()
    with warm.connect("tls") as c:
        assert c.sock.getpeercert(True) != first
    assert login(warm, ADMIN, ADMIN_PW, "bob") == "NO"
    assert login(warm, ADMIN, ADMIN_PW, "alice") == "OK"
    conf.write_text(good)
    warm.hangup()
    assert login(warm, ADMIN, ADMIN_PW, "bob") == "OK"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_bye_and_status_0(how):
    with Site(users=("alice",)) as site:
        with site.session("alice") as c:
            site.proc.send_signal(how)
            assert c.response().startswith(b"* BYE")
            assert site.proc.wait(20) == 0
        events = [e.get("event") for e in site.log()]
        assert events[-1] == "stopped" and "stopping" in events
        assert not (site.dir / "mailstile.pid").exists()


def test_failed_logins_from_an_address_wait_longer_each_time():
    def change(text):
        text = text.replace("free-failures: 5", "free-failures: 1")
        return text.replace("first-delay-milliseconds: 250", "first-delay-milliseconds: 400")
    with Site(users=("alice",), configure=change) as site:
        took = []
        for _ in range(4):
            start = time.monotonic()
            assert login(site, "alice", "wrong") == "NO"
            took.append(time.monotonic() - start)
        assert took[3] > 0.8 and took[3] > took[0] + 0.6, took
