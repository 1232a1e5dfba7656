"""mailstile mailbox: list, stat, quota, export and import, served and not served."""

import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
from harness import Conn, Site, binary, environment, plain, run

NL = b"\r\n"


def out(*args):
    return run("mailbox", *args).stdout.decode()


def fails(status, part, *args):
    res = run("mailbox", *args, check=False)
    text = (res.stdout + res.stderr).decode()
    assert res.returncode == status and part in text, text
    return text


@pytest.fixture(scope="module")
def served():
    with Site(users=("alice", "bob", "carol")) as s:
        yield s


@pytest.fixture(scope="module")
def stopped():
    with Site(users=("alice", "bob", "carol"), start=False) as s:
        yield s


@pytest.fixture(scope="module")
def made(served, stopped):
    """New users, of a site that runs and of one that does not."""
    serial = iter(range(1000))

    def make(is_served=True):
        site = served if is_served else stopped
        name = f"u{next(serial)}"
        run("user", "add", site.dir, name, "--no-password")
        return site, name
    return make


def operator(site, user):
    c = Conn(site.dir / "mailstile.sock")
    c.ok(f"AUTHENTICATE PLAIN {plain(user, '#operator', '-')}")
    c.ok("ENABLE UTF8=ACCEPT")
    return c


def put(site, user, mailbox, messages):
    """messages: (bytes, flags, date)"""
    with operator(site, user) as c:
        if mailbox != "INBOX":
            c.cmd(f'CREATE "{mailbox}"')
        for text, flags, date in messages:
            c.ok(f'APPEND "{mailbox}" ({flags}) "{date}" {{}}', text)


def content(site, user, mailbox="INBOX"):
    """What a mailbox holds: (bytes, flags, date) in order."""
    with operator(site, user) as c:
        c.ok(f'EXAMINE "{mailbox}"')
        r = c.ok("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
    found = []
    for line in r.untagged:
        m = re.match(rb'\* \d+ FETCH \((.*?)BODY\[\] ~\{(\d+)\}\r\n', line, re.S)
        if m:
            flags = re.search(rb"FLAGS \((.*?)\)", line).group(1).decode().split()
            date = re.search(rb'INTERNALDATE "(.*?)"', line).group(1).decode()
            found.append((line[m.end():m.end() + int(m.group(2))],
                          sorted(set(flags) - {r"\Recent"}), date.strip()))
    return found


# ---- bytes are kept ---------------------------------------------------------------

PIECES = [b"Subject: x", b"From me", b"From a@b Thu Nov  6 10:00:00 2025", b">From x", b">>From ",
          b"Status: RO", b"X-Status: A", b"X-Mailstile: raw", b"Content-Length: 3", b" folded",
          b"", b"\0", b"\xff\xfe", b"caf\xc3\xa9", b"\r", b"a\rb", b"x" * 300, b">", b"Fro", b"From",
          b"X-IMAP: 1 2", b"X-Keywords: a"]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n", b"\n\n"]


def odd_messages(seed, count):
    rng = random.Random(seed)
    fixed = [b"\r\n", b"\n", b"x", b"\r", b" ", b"From ", b"a: b\r\n", b"a: b\r\n\r\n",
             b"a: b\r\n\r\n\r\n\r\n", b"a: b\r\n\r\nx\r\nFrom a@b Thu Nov  6 10:00:00 2025\r\nno",
             b"a: b\r\n\r\nend\r\n\r\nFrom a@b Thu Nov  6 10:00:00 2025\r\n\r\n",
             b"a: b\n\nlf\n", b"a: b\n\nlf", b"Status: RO\r\n\r\nown\r\n", b" folded: first\r\n\r\n",
             b"From x\r\na: b\r\n\r\n", b"X-IMAP: 1\r\nSubject: no pseudo message\r\n\r\nx\r\n"]
    made = list(fixed)
    while len(made) < count:
        lines = [rng.choice(PIECES) for _ in range(rng.randrange(1, 9))]
        text = b"".join(p + rng.choice(ENDS if rng.random() < .4 else [NL]) for p in lines)
        if rng.random() < .3:
            text = text.rstrip(NL) or b"x"
        made.append(text)
    flags = [r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "$Forwarded", "$Junk",
             "work", "a.b"]
    return [(text, " ".join(rng.sample(flags, rng.randrange(4))),
             f"{rng.randrange(1, 28):2d}-Feb-{rng.randrange(1999, 2026)} 10:{i % 60:02d}:07 "
             f"{rng.choice(['+0000', '+0000', '+0530', '-0800'])}")
            for i, text in enumerate(made)]


@pytest.mark.parametrize("form", ["mbox", "maildir"])
@pytest.mark.parametrize("is_served", [True, False], ids=["served", "stopped"])
def test_export_and_import_keep_every_byte(made, tmp_path, form, is_served):
    site, user = made(True)
    put(site, user, "INBOX", odd_messages(form, 120))
    want = content(site, user)
    out("export", site.dir, user, tmp_path / "one", "--format", form)
    other, to = made(is_served)
    said = out("import", other.dir, to, tmp_path / "one")
    assert f"{len(want)} messages imported" in said
    out("export", other.dir, to, tmp_path / "two", "--format", form)
    site, again = made(True)
    out("import", site.dir, again, tmp_path / "two")
    got = content(site, again)
    if form == "maildir":  # in the order of arrival, and times in UTC
        def key(m):
            return m[0], m[1]
        want, got = sorted(map(key, want)), sorted(map(key, got))
    assert len(got) == len(want)
    for a, b in zip(got, want):
        assert a == b
    if form == "mbox":
        one, two = ((tmp_path / d / "INBOX.mbox").read_bytes() for d in ("one", "two"))
        assert one == two


def test_dates_of_a_maildir_are_file_times(made, tmp_path):
    site, user = made()
    put(site, user, "INBOX", [(b"a: b\r\n\r\n", r"\Seen", "17-Jul-1996 02:44:25 -0700")])
    out("export", site.dir, user, tmp_path / "m", "--format", "maildir")
    (file,) = (tmp_path / "m/cur").iterdir()
    assert file.name.endswith(",S=6,W=8:2,S") and file.read_bytes() == b"a: b\n\n"
    assert file.stat().st_mtime == 837596665
    _, to = made()
    out("import", site.dir, to, tmp_path / "m")
    assert content(site, to) == [(b"a: b\r\n\r\n", [r"\Seen"], "17-Jul-1996 09:44:25 +0000")]


NAMES = ["Work", "Work/2024", "Work/2024/Q1.mbox", "a.b", "a%2Eb", "subscriptions", "subscriptions/x",
         "Entwürfe", "日本", "x.sbd", "x.sbd/y", ".hidden", "back\\slash", "INBOX/below", "with space"]


@pytest.mark.parametrize("form", ["mbox", "maildir"])
def test_folders_and_subscriptions_are_kept(made, tmp_path, form):
    site, user = made()
    with operator(site, user) as c:
        for n in NAMES:
            c.cmd("CREATE {}", n.encode())
            c.ok("APPEND {} {}", n.encode(), b"a: b\r\n\r\n" + n.encode() + NL)
        c.ok("SUBSCRIBE {}", "Entwürfe".encode())
        c.ok("SUBSCRIBE Work/2024")

    def listed(u):
        rows = json.loads(out("list", site.dir, u, "--json"))
        return sorted((r["mailbox"], r["subscribed"]) for r in rows)
    out("export", site.dir, user, tmp_path / "o", "--format", form)
    _, to = made()
    out("import", site.dir, to, tmp_path / "o")
    assert listed(to) == listed(user)
    for n in NAMES:
        assert content(site, to, n.replace("\\", "\\\\"))[0][0].endswith(n.encode() + NL)
    # below another mailbox
    _, third = made()
    out("import", site.dir, third, tmp_path / "o", "--into", "Old")
    assert {"Old", "Old/Work/2024", "Old/Entwürfe"} <= {n for n, _ in listed(third)}


def test_a_large_message_goes_in_pieces_both_ways(made, tmp_path):
    site, user = made()
    line = b"From the middle of a long body, line after line\r\n"
    text = b"Subject: large\r\n\r\n" + line * 120_000
    put(site, user, "INBOX", [(b"a: 1\r\n\r\n", "", "01-Feb-2024 10:00:00 +0000"),
                              (text, r"\Flagged", "01-Feb-2024 10:00:00 +0000"),
                              (b"a: 3\r\n\r\n", "", "01-Feb-2024 10:00:00 +0000")])
    for form in ("mbox", "maildir"):
        out("export", site.dir, user, tmp_path / form, "--format", form)
        _, to = made()
        out("import", site.dir, to, tmp_path / form)
        assert sorted(content(site, to)) == sorted(content(site, user))


# ---- what others wrote --------------------------------------------------------------

FROM = b"From joe@example.org Thu Nov  6 10:00:00 2025\n"


def imported(made, tmp_path, text, *options):
    site, user = made()
    box = tmp_path / "box"
    box.write_bytes(text)
    said = run("mailbox", "import", site.dir, user, box, *options)
    return content(site, user), (said.stdout + said.stderr).decode()


@pytest.mark.parametrize("line, date", [
    (b"From a@b Thu Nov  6 10:00:00 2025", "6-Nov-2025 10:00:00 +0000"),
    (b"From a b c  Thu Nov 6 10:00 2025", "6-Nov-2025 10:00:00 +0000"),
    (b"From a Thu Nov  6 10:00:00 2025 -0500", "6-Nov-2025 10:00:00 -0500"),
    (b"From a Thu Nov  6 10:00:00 EST 2025", "6-Nov-2025 10:00:00 +0000"),
    (b"From a Thu Nov  6 10:00:00 +0100 2025", "6-Nov-2025 10:00:00 +0100"),
    (b"From MAILER-DAEMON Thu Nov  6 10:00:00 2025\r", "6-Nov-2025 10:00:00 +0000"),
])
def test_from_lines_as_they_are_written(made, tmp_path, line, date):
    got, _ = imported(made, tmp_path, line + b"\na: b\n\nx\n\n")
    assert [(m[0], m[2]) for m in got] == [(b"a: b\r\n\r\nx\r\n", date)]


def test_fields_of_the_mbox_become_flags_and_go(made, tmp_path):
    got, _ = imported(made, tmp_path, FROM +
                      b"X-IMAP: 1 2\nSubject: DON'T DELETE THIS MESSAGE\nStatus: RO\n\nx\n\n" + FROM +
                      b"a: b\nStatus: RO\nX-Status: AF\nX-Keywords: work  $Junk (bad)\n  more\nX-UID: 7\n"
                      b"Content-Length: 999\nc: d\n\nx\n\n" + FROM + b"X-Status: TD\n\ny\n")
    assert got == [(b"a: b\r\nc: d\r\n\r\nx\r\n",
                    ["$Junk", r"\Answered", r"\Flagged", r"\Seen", "work"], got[0][2]),
                   (b"\r\ny\r\n", [r"\Deleted", r"\Draft"], got[1][2])]


def test_quoting_and_lines_that_only_look_like_it(made, tmp_path):
    got, said = imported(made, tmp_path, FROM + b"a: b\n\n>From x\n>>From y\nFrom now on\n" + FROM +
                         b"\nFrom here without a date\n\n" + FROM + b"a: c\n\n>>>From\n")
    assert [m[0] for m in got] == [
        b"a: b\r\n\r\nFrom x\r\n>From y\r\nFrom now on\r\n" + FROM[:-1] + NL +
        b"\r\nFrom here without a date\r\n", b"a: c\r\n\r\n>>>From\r\n"]
    assert "1 lines look like" in said
    got, _ = imported(made, tmp_path, FROM + b"a: b\n\n>From x\n", "--no-unquote")
    assert got[0][0] == b"a: b\r\n\r\n>From x\r\n"


def test_a_content_length_that_proves_right_is_believed(made, tmp_path):
    body = b"one\n\n" + FROM + b">From is not quoted here\n"
    box = FROM + b"a: b\nContent-Length: %d\n\n" % len(body) + body + b"\n" + FROM + b"a: c\n\nx\n"
    got, _ = imported(made, tmp_path, box)
    assert [m[0] for m in got] == [b"a: b\r\n\r\n" + body.replace(b"\n", NL), b"a: c\r\n\r\nx\r\n"]
    wrong = FROM + b"a: b\nContent-Length: 2\n\none\n\n" + FROM + b"a: c\n\nx\n"
    got, _ = imported(made, tmp_path, wrong)
    assert [m[0] for m in got] == [b"a: b\r\n\r\none\r\n", b"a: c\r\n\r\nx\r\n"]


def test_crlf_an_empty_message_and_a_last_line_without_end(made, tmp_path):
    got, said = imported(made, tmp_path, (FROM + b"a: b\n\nx\n\n").replace(b"\n", NL) + FROM + b"\n" +
                         FROM + b"a: c\n\nno end")
    assert [m[0] for m in got] == [b"a: b\r\n\r\nx\r\n", b"a: c\r\n\r\nno end"]
    assert "1 messages without a byte" in said


def test_a_maildir_of_dovecot(made, tmp_path):
    m = tmp_path / "m"
    for d in ("cur", "new", "tmp", ".Entw&APw-rfe.2024/cur", ".Entw&APw-rfe.2024/new", ".no mail"):
        (m / d).mkdir(parents=True)
    (m / "dovecot-keywords").write_text("0 $Junk\n2 work\n")
    (m / "cur/1700000000.M1P1.h,S=12,W=14:2,FSac").write_bytes(b"a: b\n\nseen\n\n"[:12])
    (m / "new/1700000001.M1P1.h").write_bytes(b"a: b\n\nnew\n")
    (m / "tmp/1700000002.M1P1.h").write_bytes(b"half")
    (m / ".Entw&APw-rfe.2024/cur/1.h:2,DPRT").write_bytes(b"a: b\r\n\r\nd\r\n")
    site, user = made()
    out("import", site.dir, user, m)
    assert [x[:2] for x in content(site, user)] == [
        (b"a: b\r\n\r\nseen\r\n\r\n", ["$Junk", r"\Flagged", r"\Seen", "work"]),
        (b"a: b\r\n\r\nnew\r\n", [])]
    assert [x[:2] for x in content(site, user, "Entwürfe/2024")] == [
        (b"a: b\r\n\r\nd\r\n", ["$Forwarded", r"\Answered", r"\Deleted", r"\Draft"])]


def test_what_is_no_mail_is_left_out_and_said(made, tmp_path):
    d = tmp_path / "d"
    d.mkdir()
    (d / "good.mbox").write_bytes(FROM + b"a: b\n\nx\n")
    (d / "empty").write_bytes(b"")
    (d / "picture").write_bytes(b"\x89PNG")
    site, user = made()
    text = fails(1, "picture is no mbox", "import", site.dir, user, d)
    assert "1 message imported into 2 mailboxes, 1 left out" in text
    fails(1, "No such file", "import", site.dir, user, tmp_path / "absent")
    fails(1, "neither a file nor a folder", "import", site.dir, user, "/dev/null")


# ---- again, and after any end ---------------------------------------------------------

def big_mbox(path, count, size=300):
    with open(path, "wb") as f:
        for i in range(count):
            f.write(FROM + b"Subject: %d\n\n" % i + b"y" * size + b"\n\n")
    return [b"Subject: %d\r\n\r\n" % i + b"y" * size + NL for i in range(count)]


def test_a_second_run_imports_only_what_is_new(made, tmp_path):
    site, user = made()
    box = tmp_path / "box"
    twice = FROM + b"a: b\n\nthe same\n\n"
    box.write_bytes(twice + twice)
    assert "2 messages imported" in out("import", site.dir, user, box)
    assert "0 messages imported" in out("import", site.dir, user, box)
    box.write_bytes(FROM + b"first: now\n\n\n" + twice + twice + twice)
    said = out("import", site.dir, user, box)
    assert "2 messages imported" in said and "2 were there already" in said
    assert len(content(site, user)) == 4
    _, other = made()
    journal = f"{box}.{user}.mailstile-import"
    assert os.stat(journal).st_mode & 0o777 == 0o600
    fails(1, "of another user", "import", site.dir, other, box, "--journal", journal)
    fails(1, "is no journal", "import", site.dir, other, box, "--journal", box)


def start(*args, **kw):
    return subprocess.Popen([binary(), "mailbox", *map(str, args)], env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)


@pytest.mark.parametrize("is_served", [True, False], ids=["served", "stopped"])
def test_killed_at_any_moment_nothing_is_doubled_or_lost(made, tmp_path, is_served):
    site, user = made(is_served)
    want = big_mbox(tmp_path / "box", 3000)
    rng, kills = random.Random(7), 0
    while True:
        p = start("import", site.dir, user, tmp_path / "box")
        try:
            p.wait(0.1 + rng.random() * 0.2 * kills)    # soon at first, on a fast machine too
        except subprocess.TimeoutExpired:
            p.kill()
            kills += 1
        text = p.communicate()[0].decode()
        if p.returncode == 0:
            break
        assert p.returncode == -signal.SIGKILL, text
    assert kills > 0
    out("export", site.dir, user, tmp_path / "o")
    got = (tmp_path / "o/INBOX.mbox").read_bytes()
    assert [int(n) for n in re.findall(rb"^Subject: (\d+)$", got, re.M)] == list(range(len(want)))


def test_a_batch_noted_but_not_committed_comes_again(made, tmp_path):
    site, user = made()
    big_mbox(tmp_path / "box", 3)
    journal = tmp_path / "j"
    out("import", site.dir, user, tmp_path / "box", "--journal", journal)
    first, batch, end = journal.read_text().splitlines()
    assert batch.startswith("B 1 3 ") and end == "E 1"
    # as a kill between journal and commit leaves it, with half a line behind
    with operator(site, user) as c:
        c.select("INBOX")
        c.ok(r"STORE 1:* +FLAGS (\Deleted)")
        c.ok("EXPUNGE")
    journal.write_text(f"{first}\n{batch}\nB 2 4 00")
    assert "3 messages imported" in out("import", site.dir, user, tmp_path / "box",
                                        "--journal", journal)
    assert journal.read_text().splitlines() == [first, batch, "X 1", batch.replace("B 1", "B 2"),
                                                "E 2"]
    # as a kill between commit and the next line leaves it: the mark in the store says so
    ident = first.split()[3]
    with operator(site, user) as c:
        c.ok(f"XMARK {ident} 3")
        c.append("INBOX", b"a: b\r\n\r\n")
    text = journal.read_text().replace("E 2\n", "")
    journal.write_text(text + "B 3 1 " + "ab" * 16 + "\n")
    assert "0 messages imported" in out("import", site.dir, user, tmp_path / "box",
                                        "--journal", journal)


def on_terminal(args, until, sig=signal.SIGINT):
    """Runs on a terminal; when `until` was seen, sends a signal. Returns status, text."""
    master, slave = pty.openpty()
    p = subprocess.Popen([binary(), "mailbox", *map(str, args)], env=environment(),
                         stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    text, sent, end = b"", False, time.monotonic() + 60
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            text += more
        if not sent and re.search(until, text):
            p.send_signal(sig)
            sent = True
    os.close(master)
    return p.wait(30), text, sent


def test_interrupted_on_a_terminal_it_ends_in_order_and_goes_on(made, tmp_path):
    site, user = made()
    big_mbox(tmp_path / "box", 6000, 3000)
    status, text, sent = on_terminal(("import", site.dir, user, tmp_path / "box"), rb"\d+ messages")
    assert sent and status == 1, text
    assert re.search(rb"\r\x1b\[K\[[#.]+\] \d+ messages  .* of 18\.\d MB", text), text
    assert b"Interrupted; the same command goes on." in text
    done = int(re.search(rb"(\d+) messages? imported", text).group(1))
    said = out("import", site.dir, user, tmp_path / "box")
    assert f"{6000 - done} messages imported" in said and f"{done} were there already" in said
    stat = json.loads(out("stat", site.dir, user, "--json"))
    assert [m["messages"] for m in stat] == [6000]
    assert "\x1b" not in said


def test_over_quota_it_stops_and_goes_on_when_there_is_room(made, tmp_path):
    site, user = made()
    big_mbox(tmp_path / "box", 500)
    out("quota", site.dir, user, "--messages", "450")
    fails(1, "When there is room, the same command goes on", "import", site.dir, user, tmp_path / "box")
    out("quota", site.dir, user, "--messages", "none")
    out("import", site.dir, user, tmp_path / "box")
    assert len(content(site, user)) == 500


# ---- list, stat, quota -----------------------------------------------------------------

@pytest.mark.parametrize("is_served", [True, False], ids=["served", "stopped"])
def test_list_stat_and_quota(made, tmp_path, is_served):
    site, user = made(is_served)
    (tmp_path / "box").write_bytes(FROM + b"a: b\nStatus: RO\n\nx\n\n" + FROM + b"a: b\n\nyy\n")
    out("import", site.dir, user, tmp_path / "box", "--into", "Old/Ünread")
    assert [r["mailbox"] for r in json.loads(out("list", site.dir, user, "--json"))] == \
        ["INBOX", "Old", "Old/Ünread"]
    assert "Old/Ünread" in out("list", site.dir, user)
    (row,) = json.loads(out("stat", site.dir, user, "Old/Ünread", "--json"))
    assert (row["messages"], row["unseen"], row["bytes"]) == (2, 1, 23)
    assert out("stat", site.dir, user).splitlines()[-1].split()[:3] == ["2", "1", "23"]
    out("quota", site.dir, user, "--storage", "2M", "--messages", "10")
    (row,) = json.loads(out("quota", site.dir, user, "--json"))
    assert row == {"user": user, "storage_kib": 1, "storage_kib_limit": 2048, "messages": 2,
                   "messages_limit": 10, "mailboxes": 3, "mailboxes_limit": None}
    assert user in out("quota", site.dir)
    out("quota", site.dir, user, "--clear")
    (row,) = json.loads(out("quota", site.dir, user, "--json"))
    assert row["storage_kib_limit"] is None and row["messages_limit"] is None


def test_export_of_some(made, tmp_path):
    site, user = made()
    put(site, user, "INBOX", [(b"a: b\r\n\r\n", "", "01-Feb-2024 10:00:00 +0000")])
    put(site, user, "A/B", [(b"a: c\r\n\r\n", "", "01-Feb-2024 10:00:00 +0000")])
    out("export", site.dir, user, tmp_path / "o", "A/B")
    assert sorted(str(p.relative_to(tmp_path / "o")) for p in (tmp_path / "o").rglob("*")) == \
        ["A", "A/B.mbox"]
    fails(1, "is not empty", "export", site.dir, user, tmp_path / "o")
    fails(1, "Not all of these mailboxes are there", "export", site.dir, user, tmp_path / "p", "A/C")
    assert (tmp_path / "o/A/B.mbox").stat().st_mode & 0o777 == 0o600


# ---- usage and what can be wrong -------------------------------------------------------------

@pytest.mark.parametrize("args, part", [
    ((), "Say what"),
    (("frob", "a"), "Say what"),
    (("list",), "DIR is missing"),
    (("list", "a"), "USER is missing"),
    (("list", "a", "b", "c"), "one argument too many"),
    (("import", "a", "b"), "FROM is missing"),
    (("export", "a", "b"), "TO is missing"),
    (("list", "a", "b", "--clear"), "--clear is not for list"),
    (("stat", "a", "b", "--into", "x"), "--into is not for stat"),
])
def test_wrong_usage(args, part):
    fails(2, part, *args)


def test_what_can_be_wrong_is_said(served, stopped, tmp_path):
    fails(1, 'There is no user "nobody"', "list", served.dir, "nobody")
    fails(1, 'There is no user "nobody"', "list", stopped.dir, "nobody")
    fails(1, "mailstile.yaml", "list", tmp_path, "alice")
    fails(1, '"x" is no limit', "quota", served.dir, "alice", "--storage", "x")
    fails(2, "USER is missing", "quota", served.dir, "--clear")
    fails(2, "mbox or maildir", "export", served.dir, "alice", tmp_path / "o", "--format", "pst")
    assert "usage: mailstile mailbox" in run("mailbox", "--help").stdout.decode()


def test_no_server_starts_meanwhile(stopped, tmp_path):
    big_mbox(tmp_path / "box", 20000, 2000)
    p = start("import", stopped.dir, "bob", tmp_path / "box")
    deadline = time.monotonic() + 20
    while not (stopped.dir / "mailstile.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    res = run("serve", stopped.dir, check=False)
    assert res.returncode == 1 and b"already" in res.stderr
    out("list", stopped.dir, "alice")  # served by the other tool
    p.send_signal(signal.SIGTERM)
    text = p.communicate(timeout=60)[0].decode()
    assert p.returncode == 1 and "Interrupted" in text, text
    assert not (stopped.dir / "mailstile.pid").exists()
