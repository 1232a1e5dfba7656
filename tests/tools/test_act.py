"""mailstile act against a real server; what it did is read back by Python's imaplib."""

import imaplib
import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import ssl
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import harness
from harness import ADMIN, ADMIN_PW, SANITIZER, Site

MESSAGE = b"From: a@x.example\nTo: b@x.example\nSubject: hello\nMessage-ID: <%b@x.example>\n\nbody\n"


class Act:
    """A site, its users, and the command line that acts for them."""

    def __init__(self, site, tmp):
        self.site, self.tmp = site, tmp
        self.users = [site.new_user() for _ in range(12)]
        (tmp / "users").write_text("".join(u + "\n" for u in self.users))
        self.password = site.password_file("act", ADMIN_PW)

    def argv(self, *args, users=True, server=None):
        ports = self.site.ports
        out = [harness.binary(), "act", "--server", server or f"imaps://127.0.0.1:{ports['imaps']}",
               "--ca", self.site.dir / "tls" / "certificate.pem", "--as", ADMIN,
               "--password-file", self.password]
        if users:
            out += ["--users", self.tmp / "users"]
        return [str(a) for a in (*out, *args)]

    def run(self, *args, status=0, **kw):
        done = subprocess.run(self.argv(*args, **kw), capture_output=True, text=True, timeout=120,
                              cwd=self.tmp, env=harness.environment(), stdin=subprocess.DEVNULL)
        assert not SANITIZER.search(done.stderr.encode()), done.stderr
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def objects(self, *args, **kw):
        done = self.run("--json", *args, **kw)
        return {o["user"]: o for o in map(json.loads, done.stdout.splitlines())}

    def message(self, name, text=MESSAGE):
        path = self.tmp / name
        path.write_bytes(text % name.encode() if b"%b" in text else text)
        return path

    def imap(self, user):
        context = ssl.create_default_context(cafile=self.site.dir / "tls" / "certificate.pem")
        context.check_hostname = False
        c = imaplib.IMAP4_SSL("127.0.0.1", self.site.ports["imaps"], ssl_context=context)
        c.authenticate("PLAIN", lambda _: f"{user}\0{ADMIN}\0{ADMIN_PW}".encode())
        return c

    def mail(self, user, mailbox="INBOX"):
        """[(flags, bytes)] of all messages."""
        c = self.imap(user)
        out = []
        if c.select(mailbox, readonly=True)[0] == "OK":
            for item in c.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    out.append((item[0], item[1]))
        c.logout()
        return out

    def subjects(self, user):
        return [re.search(rb"Message-ID: <([^@]+)", text)[1].decode() for _, text in self.mail(user)]


@pytest.fixture
def act(tmp_path):
    with Site(pool=20) as site:
        yield Act(site, tmp_path)


# ---- jobs -----------------------------------------------------------------

def test_each_job_does_what_it_says(act):
    one, two = act.message("one"), act.message("two")
    got = act.objects("append", "INBOX", one, two, "--flags", r"\Flagged")
    assert set(got) == set(act.users) and all(o["uids"] == "1:2" for o in got.values())
    for user in act.users:
        mail = act.mail(user)
        assert len(mail) == 2 and all(rb"\Flagged" in flags for flags, _ in mail)
        assert mail[0][1] == one.read_bytes().replace(b"\n", b"\r\n")

    assert act.run("search", "INBOX", "HEADER Message-ID two").stdout.splitlines() == [
        f"{u}\t2" for u in act.users]
    act.run("flag", "INBOX", "UID 2", r"+\Seen $Voice")
    act.run("flag", "INBOX", "ALL", r"-\Flagged")
    flags = [f for f, _ in act.mail(act.users[3])]
    assert rb"\Seen" not in flags[0] and rb"\Seen" in flags[1] and b"$Voice" in flags[1]
    assert not any(rb"\Flagged" in f for f in flags)

    act.run("fetch", "INBOX", "ALL", "--to", "out")
    for user in act.users:
        assert sorted(p.name for p in (act.tmp / "out" / user).iterdir()) == ["1.eml", "2.eml"]
        assert (act.tmp / "out" / user / "2.eml").read_bytes() == act.mail(user)[1][1]

    # What others have marked stays: the search decides.
    act.run("flag", "INBOX", "UID 1", r"+\Deleted")
    assert all(o["messages"] == 1 for o in act.objects("expunge", "INBOX", "SEEN").values())
    assert all(act.subjects(u) == ["one"] for u in act.users)

    rows = act.run("status").stdout.splitlines()
    assert len(rows) == len(act.users)
    assert re.fullmatch(rf"{act.users[0]}\tINBOX\t1\t1\t\d+", rows[0])
    boxes = act.objects("status", "INBOX")[act.users[0]]["mailboxes"]
    assert boxes[0]["messages"] == 1 and boxes[0]["uidnext"] == 3


def test_a_script_runs_for_each_user_and_stops_at_a_failed_group(act):
    act.message("m")
    (act.tmp / "s").write_text("# comment\nCREATE Voice\nAPPEND Voice (\\Seen) {<m}\n\n"
                               "SELECT Voice\nSELECT NoSuchBox\n\nDELETE Voice\n")
    got = act.objects("run", "s", status=1)
    assert all("line 6: " in o["error"] and not o["ok"] for o in got.values())
    assert all(len(act.mail(u, "Voice")) == 1 for u in act.users)

    for i, user in enumerate(act.users):
        (act.tmp / f"{user}.imap").write_text(f"CREATE box{i}\nSTATUS box{i} (MESSAGES)\n")
    got = act.objects("run", "%u.imap")
    for i, user in enumerate(act.users):
        assert any(f"box{i}" in line for line in got[user]["responses"])


def test_a_file_may_differ_for_each_user(act):
    for user in act.users[:-1]:
        act.message(f"{user}.eml")
    got = act.objects("append", "INBOX", "%u.eml", status=1)
    assert [u for u, o in got.items() if not o["ok"]] == [act.users[-1]]
    assert all(act.subjects(u) == [f"{u}.eml"] for u in act.users[:-1])


def test_large_messages_stream_both_ways(act):
    text = b"Subject: big\r\n\r\n" + os.urandom(3_000_000).hex().encode() + b"\r\n"
    act.message("big", text)
    (act.tmp / "users").write_text(act.users[0] + "\n")
    act.run("append", "INBOX", "big")
    act.run("fetch", "INBOX", "ALL", "--to", "out")
    assert (act.tmp / "out" / act.users[0] / "1.eml").read_bytes() == text


def test_without_users_it_is_for_the_administrator_himself(act):
    act.message("m")
    act.run("append", "INBOX", "m", users=False)
    assert act.subjects(ADMIN) == ["m"]


# ---- how the user is changed -------------------------------------------------

def summary(act, *args, **kw):
    act.run("--summary-json", "summary", *args, **kw)
    return json.loads((act.tmp / "summary").read_text())


def test_one_connection_serves_all_users(act):
    s = summary(act, "status")
    assert (s["connections"], s["switches"], s["way"]) == (1, len(act.users) - 1, "unauthenticate")
    starts = [e for e in act.site.log() if e.get("event") == "login" or "authzid" in e]
    assert {e["authzid"] for e in starts if "authzid" in e} >= set(act.users)


def test_reconnecting_does_the_same_and_resumes_tls(act):
    act.message("m")
    s = summary(act, "--reconnect", "append", "INBOX", "m")
    assert (s["connections"], s["switches"], s["way"]) == (len(act.users), 0, "reconnect")
    assert s["tls_full"] == 1 and s["tls_resumed"] == len(act.users) - 1
    assert all(act.subjects(u) == ["m"] for u in act.users)


def test_a_server_without_unauthenticate_is_reconnected(tmp_path):
    off = lambda text: re.sub(r"unauthenticate: \S+", "unauthenticate: \"off\"", text)
    with Site(pool=20, configure=off) as site:
        act = Act(site, tmp_path)
        s = summary(act, "status")
        assert s["way"] == "reconnect" and s["failed"] == 0
        assert "does not offer" in s["why_no_switch"]


@pytest.mark.parametrize("connections", [1, 4, 50])
def test_connections_share_the_queue(act, connections):
    act.message("m")
    s = summary(act, "--connections", str(connections), "append", "INBOX", "m")
    assert s["connections"] == min(connections, len(act.users))
    assert all(act.subjects(u) == ["m"] for u in act.users)


def test_starttls_and_plain_text_on_loopback(act):
    port = act.site.ports["imap"]
    act.run("status", server=f"imap://127.0.0.1:{port}")
    done = act.run("--plaintext", "status", server=f"imap://127.0.0.1:{port}")
    assert "0 full and 0 resumed" in done.stderr


# ---- what goes wrong ---------------------------------------------------------

def test_one_users_failure_is_that_users(act):
    users = act.users[:3] + ["nobody", *act.users[3:6]]
    (act.tmp / "users").write_text("\n".join(users) + "\n")
    got = act.objects("status", status=1)
    assert [u for u, o in got.items() if not o["ok"]] == ["nobody"]
    (act.tmp / "users").write_text("nobody\n" + "\n".join(act.users) + "\n")
    assert len(act.objects("status", status=1)) == 13  # the first one is not the measure


def test_no_connection_and_no_login_is_status_3(act):
    act.run("status", status=3, server="imaps://127.0.0.1:1")
    act.password = act.site.password_file("wrong", "not it")
    act.run("status", status=3)
    act.password = act.site.password_file("act", ADMIN_PW)
    other = act.argv("status")
    other[other.index("--ca") + 1] = "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(other[other.index("--ca") + 1]):
        done = subprocess.run(other, capture_output=True, text=True)
        assert done.returncode == 3 and "certificate" in done.stderr


def test_the_pinned_certificate_and_no_other(act):
    pem = (act.site.dir / "tls" / "certificate.pem").read_text()
    import hashlib
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    act.run("--pin", pin, "status")
    act.run("--pin", "0" * 64, "status", status=3)


@pytest.mark.parametrize("args, part", [
    ((), "job is missing"),
    (("dance",), "unknown job"),
    (("search", "INBOX", "FROM"), "no IMAP search"),
    (("search", "INBOX", "ALL\r\nx LOGOUT"), "no IMAP search"),
    (("expunge", "INBOX", "1"), "no message numbers"),
    (("expunge", "INBOX", "OR SEEN UID 5:*"), 'no "*"'),
    (("expunge", "INBOX", "NOT (SEEN UID 5:*)"), 'no "*"'),
    (("flag", "INBOX", "$", "+x"), "stands for nothing"),
    (("run", "no-such-script"), "no-such-script"),
    (("--users", "no-such-file", "status"), "no-such-file"),
    (("--password-file", "no-such-file", "status"), "no-such-file"),
])
def test_wrong_usage_is_status_2_and_touches_no_server(act, args, part):
    assert part in act.run(*args, status=2, server="imaps://127.0.0.1:1").stderr


# ---- the journal -------------------------------------------------------------

def test_a_second_run_with_the_journal_does_nobody_twice(act):
    act.message("m")
    act.run("--journal", "j", "append", "INBOX", "m")
    done = act.run("--journal", "j", "append", "INBOX", "m")
    assert "12 done before" in done.stderr
    assert all(act.subjects(u) == ["m"] for u in act.users)
    assert "another job" in act.run("--journal", "j", "append", "INBOX", "m", "m", status=2).stderr


def test_failed_users_are_tried_again(act):
    act.message("m")
    act.run("--journal", "j", "append", "Later", "m", status=1)
    act.run("run", str(act.message("s", b"CREATE Later\n")))
    assert "0 done before" not in act.run("--journal", "j", "append", "Later", "m").stderr
    assert all(len(act.mail(u, "Later")) == 1 for u in act.users)


def test_a_script_that_was_begun_is_not_repeated(act):
    act.message("m")
    (act.tmp / "s").write_text("APPEND INBOX {<m}\n\nSELECT NoSuchBox\n")
    act.run("--journal", "j", "run", "s", status=1)
    assert "12 begun before and not repeated" in act.run("--journal", "j", "run", "s", status=1).stderr
    assert all(act.subjects(u) == ["m"] for u in act.users)


@pytest.mark.parametrize("with_id", [True, False])
def test_killed_runs_resume_and_every_user_gets_it_once(act, with_id):
    """SIGKILL at random moments; with Message-ID, and without (then by the bytes)."""
    text = MESSAGE if with_id else re.sub(rb"Message-ID.*\n", b"", MESSAGE)
    act.message("one", text)
    act.message("two", text.replace(b"body", b"other"))
    act.users = [act.site.new_user() for _ in range(60)]
    (act.tmp / "users").write_text("".join(u + "\n" for u in act.users))
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    kills = 0
    for _ in range(100):
        proc = subprocess.Popen(act.argv("--connections", "3", "--quiet", "--journal", "j",
                                         "append", "INBOX", "one", "two"), cwd=act.tmp,
                                stderr=subprocess.PIPE, env=harness.environment())
        try:
            _, err = proc.communicate(timeout=moments.uniform(0.05, 0.35) if kills < 15 else 60)
            assert proc.returncode == 0, (seed, err)
            break
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.communicate()
            kills += 1
    for user in act.users:
        got = sorted(text.split(b"\r\n\r\n")[1] for _, text in act.mail(user))
        assert got == [b"body\r\n", b"other\r\n"], (seed, user, kills, got)


def done(journal):
    return journal.read_text().count("\ndone ") if journal.exists() else 0


def test_the_server_is_killed_and_the_run_goes_on(tmp_path):
    with Site(pool=20) as site:
        ports = dict(site.ports)
        site.configure(lambda text: re.sub(
            r"port: 0", lambda _, it=iter([ports["imap"], ports["imaps"]]): f"port: {next(it)}", text))
        site.restart()
        act = Act(site, tmp_path)
        act.users += [site.new_user() for _ in range(188)]
        (tmp_path / "users").write_text("".join(u + "\n" for u in act.users))
        act.message("m")
        proc = subprocess.Popen(act.argv("--journal", "j", "append", "INBOX", "m"),
                                cwd=tmp_path, stderr=subprocess.PIPE, env=harness.environment())
        for kill in range(3):
            # Where there never was a server, status 3 is right: so not before it has begun.
            end = time.monotonic() + 60
            while done(tmp_path / "j") < 1 + 20 * kill and time.monotonic() < end:
                time.sleep(0.005)
            site.kill()
            site.start()
        assert proc.poll() is None, "the kills came too late to prove anything"
        err = proc.communicate(timeout=120)[1]
        assert proc.returncode == 0, err
        assert all(act.subjects(u) == ["m"] for u in act.users)


def test_ctrl_c_finishes_the_user_in_hand(act):
    act.users += [act.site.new_user() for _ in range(300)]
    (act.tmp / "users").write_text("".join(u + "\n" for u in act.users))
    act.message("m")
    argv = act.argv("--journal", "j", "append", "INBOX", "m")
    proc = subprocess.Popen(argv, cwd=act.tmp, stderr=subprocess.PIPE, env=harness.environment())
    time.sleep(0.4)
    proc.send_signal(signal.SIGINT)
    err = proc.communicate(timeout=30)[1].decode()
    assert proc.returncode in (0, 1) and not SANITIZER.search(err.encode()), err
    act.run("--journal", "j", "append", "INBOX", "m")
    assert all(act.subjects(u) == ["m"] for u in act.users[::10])


# ---- what is shown -----------------------------------------------------------

def test_a_terminal_gets_a_bar_that_is_taken_away(act):
    act.users += [act.site.new_user() for _ in range(300)]
    (act.tmp / "users").write_text("".join(u + "\n" for u in act.users))
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(act.tmp)
        os.execv(act.argv()[0], act.argv("status", "INBOX"))
    seen = b""
    while select.select([fd], [], [], 30)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    assert os.waitpid(pid, 0)[1] == 0
    assert re.search(rb"\[[#.]+\] \d+/312 +\d+ users/s", seen)
    # Rows and the summary stand on lines of their own.
    assert not re.search(rb"\.\] [^\r\n]*\tINBOX", seen)
    assert b"312 users, 0 failed" in seen.rsplit(b"\x1b[K", 1)[1]
