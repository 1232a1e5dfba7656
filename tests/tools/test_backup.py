"""mailstile backup and mailstile restore (doc/backup.md)."""

import base64
import copy
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "server"), str(HERE.parent / "store")]

import harness  # noqa: E402
from crash_model import Imap, Writer, message  # noqa: E402
from harness import USER_PW, Site, run  # noqa: E402

ROUNDS = int(os.environ.get("MAILSTILE_BACKUP_ROUNDS", "4"))
SEED = int(time.time())
FRIEND = {"alice": "bob", "bob": "alice"}


def backup(site, to, *more, **kw):
    return run("backup", site.dir, to, *more, **kw)


def copied(res):
    return int(re.search(rb"copied \d+ files, (\d+) bytes", res.stdout)[1])


def names(to):
    return [line.split(b"\t")[0].decode() for line in run("backup", "--list", to).stdout.splitlines()]


def sentence(res):
    """What a command that failed says: one line, a sentence."""
    assert res.returncode == 1, res
    lines = res.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].endswith("."), lines
    return lines[0]


def bulk(n, seed=0):
    """A message of random bytes in base64."""
    data = base64.encodebytes(random.Random(seed).randbytes(n * 3 // 4)).replace(b"\n", b"\r\n")
    return b"Subject: bulk\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data


class Served:
    """A site that was restored: it has no key of a certificate, so only plain IMAP."""

    def __init__(self, old, path):
        self.site = copy.copy(old)
        self.site.dir = path
        self.site.proc = self.site.terminated = None
        if not (path / "tls").exists():
            shutil.copytree(old.dir / "tls", path / "tls")

    def __enter__(self):
        self.site.start()
        return self.site

    def __exit__(self, kind, value, trace):
        if kind:
            self.site.kill()
        else:
            self.site.stop()


def shown(port, user):
    """All that a client sees of an account."""
    c = Imap(port, user, USER_PW)
    listed = c.ok('LIST "" "*" RETURN (SPECIAL-USE)')[1]
    out = {"names": sorted(n for n in listed if b"Other Users" not in n),
           "subscribed": sorted(c.ok('LIST (SUBSCRIBED) "" "*"')[1])}
    for line in out["names"]:
        name = re.search(rb'(?:"([^"]+)"|(\S+))\r\n$', line)
        name = (name[1] or name[2]).decode()
        status = c.ok(f'STATUS "{name}" (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)')[1]
        c.ok(f'EXAMINE "{name}"')
        mail = c.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE EMAILID THREADID BODY.PEEK[])")[1]
        metadata = c.ok(f'GETMETADATA "{name}" (/private/comment)')[1]
        acl = c.ok(f'GETACL "{name}"')[1]
        out[name] = (status, mail, metadata, acl)
    c.close()
    return out


def number(shown_mailbox, what):
    return int(re.search(what.encode() + rb" (\d+)", b"".join(shown_mailbox[0]))[1])


def same_mail(was, now):
    """Equal but for what a restore changes."""
    assert was["names"] == now["names"] and was["subscribed"] == now["subscribed"]
    for name in was.keys() - {"names", "subscribed"}:
        assert [re.sub(rb"MODSEQ \(\d+\) ?", b"", m) for m in was[name][1]] == \
            [re.sub(rb"MODSEQ \(\d+\) ?", b"", m) for m in now[name][1]], name
        assert was[name][2:] == now[name][2:], name
        assert number(was[name], "UIDNEXT") == number(now[name], "UIDNEXT")


def raised(old, now):
    for name in old.keys() & now.keys() - {"names", "subscribed"}:
        assert number(now[name], "UIDVALIDITY") > number(old[name], "UIDVALIDITY"), name
        assert number(now[name], "HIGHESTMODSEQ") > number(old[name], "HIGHESTMODSEQ"), name
        assert re.search(rb"MAILBOXID \(\S+\)", old[name][0][0])[0] not in now[name][0][0]


def fill(port, user, n=12):
    c = Imap(port, user, USER_PW)
    c.ok("CREATE Work/deep")
    c.ok("CREATE Sent (USE (\\Sent))")
    c.ok("SUBSCRIBE Work")
    c.ok("SUBSCRIBE gone/x")
    c.ok('SETMETADATA Work (/private/comment "for bees")')
    c.ok(f"SETACL Work {FRIEND[user]} lrs")
    for i in range(n):
        m = message(f"{user}{i}")
        c.ok(f'APPEND Work (kw{i % 5} \\Seen) "01-Feb-2020 00:00:0{i % 10} +0100" {{{len(m)}}}', m)
    c.ok("SELECT Work")
    c.ok("COPY 1:5 Work/deep")
    c.ok("STORE 2,7 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    c.close()


def spoil(port, user):
    """Everything is otherwise than it was."""
    c = Imap(port, user, USER_PW)
    c.ok("SELECT Work")
    c.ok("STORE 1:4 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    c.ok("STORE 1:* FLAGS (new)")
    c.ok("UNSELECT")
    c.ok("DELETE Work/deep")
    c.ok("CREATE Other/new")
    c.ok("UNSUBSCRIBE Work")
    c.ok('SETMETADATA Work (/private/comment "else")')
    c.ok(f"DELETEACL Work {FRIEND[user]}")
    c.ok("RENAME Sent Gone")
    m = message("later")
    c.ok(f"APPEND Work {{{len(m)}}}", m)
    c.close()


# ---- what was acknowledged is there ----


class Recorder(Writer):
    """A writer that keeps every state its account had."""

    def __init__(self, *args):
        super().__init__(*args)
        self.states = [copy.deepcopy(self.model)]

    def step(self):
        super().step()
        self.states.append(copy.deepcopy(self.model))


def is_state(model, actual):
    want = copy.deepcopy(model)
    for box in want.box.values():
        box.uidvalidity, box.highest, box.modseq = None, 0, {}
    return want.differs(actual) is None


def test_a_backup_beside_writers_is_a_state_that_was(tmp_path):
    print(f"seed {SEED}")
    users = [f"w{i}" for i in range(4)]
    team = [Recorder(u, USER_PW, "own", SEED + i) for i, u in enumerate(users)]
    to, marks, is_over = tmp_path / "to", [], threading.Event()
    with Site(users=users) as site:
        for w in team:
            c = Imap(site.ports["imap"], w.user, USER_PW)
            c.ok("CREATE own")
            c.close()
        threads = [threading.Thread(target=w.run, args=(site.ports["imap"], is_over.is_set))
                   for w in team]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                time.sleep(1)
                before = [len(w.states) for w in team]
                backup(site, to)
                marks.append((before, [len(w.states) for w in team]))
        finally:
            is_over.set()
            for t in threads:
                t.join()
        for w in team:
            assert not w.fault, w.fault
        site.stop()
        for n, (name, (before, after)) in enumerate(zip(names(to), marks)):
            assert b"is sound" in run("backup", "--verify", to, name).stdout
            run("restore", to, tmp_path / f"r{n}", "--backup", name)
            with Served(site, tmp_path / f"r{n}") as s:
                for w, lo, hi in zip(team, before, after):
                    actual = w.look(s.ports["imap"])
                    assert any(is_state(m, actual) for m in w.states[lo - 1:hi + 2]), \
                        (w.user, lo, hi, w.states[lo - 1].differs(actual))
            run("check", tmp_path / f"r{n}")
        assert sum(len(w.states) for w in team) > 100
        site.start()


# ---- all of a site, and one user ----


def test_a_site_comes_back(tmp_path):
    to = tmp_path / "to"
    with Site(users=("alice", "bob")) as site:
        fill(site.ports["imap"], "alice")
        was = shown(site.ports["imap"], "alice")
        backup(site, to)
        # nothing but its owner can read it: it has hashes of passwords
        assert all(p.stat().st_mode & 0o077 == 0 for p in to.rglob("*"))
        assert "already" in sentence(run("restore", to, site.dir, check=False))
        # another site's configuration that names a store which is being used
        (tmp_path / "two").mkdir()
        text = (site.dir / "mailstile.yaml").read_text()
        text, n = re.subn(r"(?m)^(\s*)directory: store$", rf"\1directory: {site.dir}/store", text)
        assert n == 1
        (tmp_path / "two" / "mailstile.yaml").write_text(text)
        assert "Stop it first" in sentence(
            run("restore", to, tmp_path / "two", "--replace", check=False))
        site.stop()
        assert "--replace" in sentence(run("restore", to, site.dir, check=False))
        if os.geteuid() == 0:
            (tmp_path / "nobodys").mkdir()
            os.chown(tmp_path / "nobodys", 65534, 65534)
            assert "as that user" in sentence(
                run("restore", to, tmp_path / "nobodys", check=False))
        run("restore", to, tmp_path / "fresh")
        assert (tmp_path / "fresh" / "users").read_bytes() == (site.dir / "users").read_bytes()
        with Served(site, tmp_path / "fresh") as s:
            now = shown(s.ports["imap"], "alice")
        run("check", tmp_path / "fresh")
        same_mail(was, now)
        raised(was, now)
        site.start()


def test_mail_that_is_replaced_is_kept_and_its_numbers_are_passed(tmp_path):
    to = tmp_path / "to"
    with Site(users=("alice", "bob")) as site:
        fill(site.ports["imap"], "alice")
        was = shown(site.ports["imap"], "alice")
        backup(site, to)
        spoil(site.ports["imap"], "alice")
        c = Imap(site.ports["imap"], "alice", USER_PW)
        for i in range(40):     # UIDVALIDITYs run ahead of the clock
            c.ok(f"CREATE far{i}")
        c.close()
        old = shown(site.ports["imap"], "alice")
        site.stop()
        said = run("restore", to, site.dir, "--replace").stdout.decode()
        aside = pathlib.Path(re.search(r"of before is in (\S+)\.\n", said)[1])
        assert (aside / "index").is_dir()
        site.start()
        now = shown(site.ports["imap"], "alice")
        same_mail(was, now)
        raised(was, now)
        raised(old, now)


@pytest.mark.parametrize("is_served", (True, False))
def test_one_user_comes_back_and_nobody_else_is_touched(tmp_path, is_served):
    to = tmp_path / "to"
    with Site(users=("alice", "bob")) as site:
        for user in ("alice", "bob"):
            fill(site.ports["imap"], user)
        was = shown(site.ports["imap"], "alice")
        backup(site, to)
        for user in ("alice", "bob"):
            spoil(site.ports["imap"], user)
        old = shown(site.ports["imap"], "alice")
        others = shown(site.ports["imap"], "bob")
        if is_served:
            c = Imap(site.ports["imap"], "alice", USER_PW)
            c.ok("SELECT Work")
        else:
            site.stop()
        run("restore", to, site.dir, "--user", "alice")
        if is_served:
            c.close()
        else:
            site.start()
        now = shown(site.ports["imap"], "alice")
        same_mail(was, now)
        raised(was, now)
        raised(old, now)
        assert shown(site.ports["imap"], "bob") == others
        c = Imap(site.ports["imap"], "bob", USER_PW)
        c.ok('STATUS "Other Users/alice/Work" (MESSAGES)')      # her rights are back
        c.close()
        assert not list(to.rglob("LOG*"))       # nothing was written beside the backup
        # once more, and it goes on from there
        run("restore", to, site.dir, "--user", "alice")
        raised(now, shown(site.ports["imap"], "alice"))
        spoil(site.ports["imap"], "alice")


def test_a_user_who_was_deleted_comes_back_under_his_new_key(tmp_path):
    to = tmp_path / "to"
    with Site(users=("alice", "bob")) as site:
        fill(site.ports["imap"], "alice")
        was = shown(site.ports["imap"], "alice")
        backup(site, to)
        run("user", "del", site.dir, "alice")
        gone = run("restore", to, site.dir, "--user", "alice", check=False)
        assert gone.returncode == 1 and b"mailstile user add" in gone.stderr
        site.add_users(["alice", "new"], site.pw_file)
        run("restore", to, site.dir, "--user", "alice")
        same_mail(was, shown(site.ports["imap"], "alice"))
        assert "no user" in sentence(run("restore", to, site.dir, "--user", "new", check=False))


# ---- little is moved ----


def test_what_has_not_changed_is_not_copied_again(tmp_path):
    to = tmp_path / "to"
    with Site(users=("alice",)) as site:
        c = Imap(site.ports["imap"], "alice", USER_PW)
        for i in range(40):
            m = bulk(100_000, i)
            c.ok(f"APPEND INBOX {{{len(m)}}}", m)
        first = copied(backup(site, to))
        assert first > 2_500_000
        c.ok("APPEND INBOX {22}", b"Subject: small\r\n\r\nbody")
        assert copied(backup(site, to)) < first / 20
        assert copied(backup(site, to, "--keep", "2")) < first / 20
        c.close()
        assert len(names(to)) == 2
        assert sum(p.stat().st_blocks for p in to.rglob("*.seg") if p.stat().st_nlink == 1) < 100
        for name in names(to):      # each by itself, though they share files
            assert b"is sound" in run("backup", "--verify", to, name).stdout
        shutil.rmtree(to / names(to)[0])
        assert b"is sound: 1 accounts, 41 messages" in run("backup", "--verify", to).stdout


# ---- what goes wrong ----


def test_damage_is_found_and_not_restored(tmp_path):
    to = tmp_path / "to"
    with Site(users=("alice",)) as site:
        fill(site.ports["imap"], "alice")
        site.stop()
        backup(site, to)        # a site that is not served is backed up all the same
        victim = next((to / names(to)[0] / "store" / "segments").iterdir())
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
        res = run("backup", "--verify", to, check=False)
        assert res.returncode == 1 and f"{victim.name} is damaged".encode() in res.stdout
        assert "is damaged" in sentence(run("restore", to, tmp_path / "r", check=False))
        assert not (tmp_path / "r" / "store").exists()
        victim.unlink()
        assert run("backup", "--verify", to, check=False).returncode == 1
        (to / names(to)[0] / "manifest").write_bytes(
            (to / names(to)[0] / "manifest").read_bytes()[:-3])
        assert "is cut off" in sentence(run("restore", to, tmp_path / "r", check=False))
        site.start()


def test_a_full_disk_is_a_sentence_and_the_next_run_goes_on(tmp_path):
    to = tmp_path / "small"
    to.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", to],
                      capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with Site(users=("alice",)) as site:
            c = Imap(site.ports["imap"], "alice", USER_PW)
            c.ok("APPEND INBOX {22}", b"Subject: small\r\n\r\nbody")
            backup(site, to / "b")
            before = names(to / "b")
            for i in range(40):
                m = bulk(150_000, i)
                c.ok(f"APPEND INBOX {{{len(m)}}}", m)
            assert "No space left" in sentence(backup(site, to / "b", check=False))
            assert not (site.dir / "store" / "snapshot").exists()
            assert names(to / "b") == before
            subprocess.run(["mount", "-o", "remount,size=30m", to], check=True)
            backup(site, to / "b")
            assert len(names(to / "b")) == 2
            assert b"is sound" in run("backup", "--verify", to / "b").stdout
            c.close()
    finally:
        subprocess.run(["umount", to], check=True)


def started(*args):
    return subprocess.Popen([harness.binary(), *map(str, args)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, env=harness.environment())


def killed(process, after):
    """Kills it, if it still runs; whether it did its work."""
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.stderr.read()
    process.stderr.close()
    return process.wait() == 0


def test_a_backup_that_is_killed_leaves_the_others(tmp_path):
    print(f"seed {SEED}")
    to, rnd = tmp_path / "to", random.Random(SEED)
    with Site(users=("alice", "bob")) as site:
        c = Imap(site.ports["imap"], "alice", USER_PW)
        n, done = 0, 0
        for _ in range(ROUNDS):
            for _ in range(10):
                m = bulk(100_000, n)
                c.ok(f"APPEND INBOX {{{len(m)}}}", m)
                n += 1
            done += killed(started("backup", site.dir, to), rnd.uniform(0, 1.2))
        c.close()
        backup(site, to)
        # one may have been whole when it was killed
        assert done < len(names(to)) <= ROUNDS + 1
        for name in names(to):
            assert b"is sound" in run("backup", "--verify", to, name).stdout
        assert f", {n} messages".encode() in run("backup", "--verify", to).stdout
        assert not (site.dir / "store" / "snapshot").exists()
        assert not [p for p in to.iterdir() if p.name.startswith(".")]


def test_a_server_that_is_killed_meanwhile_costs_no_backup(tmp_path):
    to, rnd = tmp_path / "to", random.Random(SEED)
    with Site(users=("alice",)) as site:
        done = 0
        for i in range(3):
            c = Imap(site.ports["imap"], "alice", USER_PW)
            for n in range(5):
                m = bulk(100_000, 10 * i + n)
                c.ok(f"APPEND INBOX {{{len(m)}}}", m)
            c.close()
            p = started("backup", site.dir, to)
            time.sleep(rnd.uniform(0, 0.5))
            site.kill()
            done += p.wait() == 0
            p.stderr.close()
            site.start()
            run("check", site.dir)
        backup(site, to)
        assert done < len(names(to)) <= 4
        for name in names(to):
            assert b"is sound" in run("backup", "--verify", to, name).stdout


def test_a_restore_that_is_killed_leaves_what_was_or_what_shall_be(tmp_path):
    print(f"seed {SEED}")
    to, rnd = tmp_path / "to", random.Random(SEED)
    with Site(users=("alice", "bob")) as site:
        fill(site.ports["imap"], "alice", 60)
        was = shown(site.ports["imap"], "alice")
        backup(site, to)
        spoil(site.ports["imap"], "alice")
        old = shown(site.ports["imap"], "alice")
        ends = []
        for i in range(ROUNDS):
            is_all = i % 2
            site.stop()
            how = ["--replace"] if is_all else ["--user", "alice"]
            ends.append(killed(started("restore", to, site.dir, *how), rnd.uniform(0.05, 1.5)))
            run("check", site.dir)
            site.start()
            now = shown(site.ports["imap"], "alice")
            if "Other/new" in now:
                assert now == old
            else:
                same_mail(was, now)
                raised(was, now)
                spoil(site.ports["imap"], "alice")
                old = shown(site.ports["imap"], "alice")
        print(ends)
        run("restore", to, site.dir, "--user", "alice")
        same_mail(was, shown(site.ports["imap"], "alice"))


def test_what_cannot_be_is_said(tmp_path):
    with Site(users=("alice",), start=False) as site:
        to = tmp_path / "to"
        assert "no store" in sentence(backup(site, to, check=False))
        site.start()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "file").touch()
        assert "not empty" in sentence(backup(site, tmp_path / "other", check=False))
        assert "no backups" in sentence(run("restore", tmp_path / "other", site.dir, check=False))
        assert "no backups" in sentence(run("restore", tmp_path / "none", site.dir, check=False))
        backup(site, to)
        assert "There is no backup 20" in sentence(
            run("restore", to, site.dir, "--backup", "20000101T000000Z", check=False))
        assert "no user" in sentence(run("restore", to, site.dir, "--user", "x", check=False))
        for wrong in (["backup", site.dir], ["restore", to], ["backup", "--list"],
                      ["backup", site.dir, to, "--keep", "0"],
                      ["restore", to, site.dir, "--user", "alice", "--replace"]):
            assert run(*wrong, check=False).returncode == 2, wrong
