#!/usr/bin/python3
"""A server that dies under 16 writers loses nothing that it acknowledged.

After each death: every message, flag, name and UID that was acknowledged is there and
nothing more (crash_model.py), bodies are equal byte for byte, `mailstile check` finds
nothing, beside the running server and after it has ended.

    MAILSTILE_CRASH_ROUNDS=20   kills (20)
    MAILSTILE_POWER_CUTS=3      power cuts (3): an ext4 on a loop device that is shut
                                down without its journal; skipped where none can be mounted
"""

import collections
import contextlib
import fcntl
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

import crash_model  # noqa: E402
import harness  # noqa: E402
import lmtp  # noqa: E402
from crash_model import Lost, Writer, message  # noqa: E402

ROUNDS = int(os.environ.get("MAILSTILE_CRASH_ROUNDS", "20"))
POWER_CUTS = int(os.environ.get("MAILSTILE_POWER_CUTS", "3"))
LOAD_S = 1.5
SEED = int(time.time())
OWN, SHARING = 12, 4
USERS = [f"w{i}" for i in range(OWN)] + ["shared"]


def writers(seed):
    each = [Writer(f"w{i}", harness.USER_PW, f"own{i}", seed + i) for i in range(OWN)]
    return each + [Writer("shared", harness.USER_PW, f"part{i}", seed + 100 + i)
                   for i in range(SHARING)]


@contextlib.contextmanager
def load(site, team):
    """The team at work; at the end it stops, or has lost its connections."""
    is_over = threading.Event()
    threads = [threading.Thread(target=w.run, args=(site.ports["imap"], is_over.is_set))
               for w in team]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        is_over.set()
        for t in threads:
            t.join()
    for w in team:
        if w.fault:
            raise w.fault


def verify(site, team):
    threads, wrong = [], []

    def one(w):
        try:
            w.verify(site.ports["imap"])
        except BaseException as e:
            wrong.append(e)
    for w in team:
        threads.append(threading.Thread(target=one, args=(w,)))
        threads[-1].start()
    for t in threads:
        t.join()
    if wrong:
        raise wrong[0]


def make_prefixes(site, team):
    for w in team:
        c = harness_client(site, w)
        c.command(f'CREATE "{w.prefix}"')
        c.close()


def harness_client(site, w):
    from crash_model import Imap
    return Imap(site.ports["imap"], w.user, w.password)


def test_a_killed_server_has_lost_nothing():
    """One store goes through all of it; every round begins on what the last one left."""
    print(f"seed {SEED}")
    rnd, team = random.Random(SEED), writers(SEED)
    with harness.Site(users=USERS) as site:
        make_prefixes(site, team)
        for n in range(ROUNDS):
            with load(site, team):
                time.sleep(rnd.uniform(0.5, 2))
                if n == 0:
                    harness.run("check", site.dir)      # beside it, under load
                site.kill()
            site.start()
            verify(site, team)
            harness.run("check", site.dir)
        done = collections.Counter()
        for w in team:
            done += w.acknowledged
        print(f"{ROUNDS} kills, acknowledged: {dict(done)}")
        assert done.total() > 50 * ROUNDS
        kinds = {"append", "flags", "copy", "move", "expunge", "create", "rename", "delete"}
        assert ROUNDS < 10 or kinds <= set(done), done
        assert not sum(w.refused for w in team)


# ---- a disk of its own ----

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a file system")
EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587d, 2


class Disk:
    """A file system for the store alone."""

    def __init__(self, mebibytes, kind):
        self.where = pathlib.Path(tempfile.mkdtemp(prefix="mailstile-disk-"))
        self.mount = self.where / "mount"
        self.mount.mkdir()
        self.command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", self.mount]
        if kind == "ext4":
            image = self.where / "image"
            with open(image, "wb") as f:
                f.truncate(mebibytes << 20)
            subprocess.run(["mkfs.ext4", "-q", image], check=True)
            self.command = ["mount", "-o", "loop", image, self.mount]

    def __enter__(self):
        self.attach()
        return self

    def attach(self):
        res = subprocess.run(self.command, capture_output=True, text=True)
        if res.returncode:
            shutil.rmtree(self.where)
            pytest.skip(f"no file system can be mounted here: {res.stderr.strip()}")

    def detach(self):
        for _ in range(50):
            if subprocess.run(["umount", self.mount], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        subprocess.run(["umount", "-l", self.mount], check=True)

    def cut_power(self):
        fd = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        os.close(fd)

    def __exit__(self, *_):
        self.detach()
        shutil.rmtree(self.where, ignore_errors=True)

    def site(self, reserve=None, also=lambda text: text, **more):
        def configure(text):
            text = also(text)
            text = text.replace("directory: store\n", f"directory: {self.mount}/store\n")
            assert str(self.mount) in text
            if reserve is not None:
                text = text.replace("disk-reserve-bytes: 268435456",
                                    f"disk-reserve-bytes: {reserve}")
                assert f"disk-reserve-bytes: {reserve}" in text
            return text
        return harness.Site(users=USERS, configure=configure, **more)


def power_cuts(n, before_load=lambda disk: None):
    team = writers(SEED)
    with Disk(1024, "ext4") as disk, disk.site(reserve=0, start=False) as site:
        site.start()
        make_prefixes(site, team)
        for i in range(n):
            before_load(disk)
            with load(site, team):
                time.sleep(LOAD_S * (1 + i % 3 / 2))
                disk.cut_power()
                site.kill()
            disk.detach()
            disk.attach()
            site.start()
            verify(site, team)
            harness.run("check", site.dir)
        assert sum(w.acknowledged.total() for w in team) > 50 * n
        site.stop()


@needs_root
def test_a_power_cut_has_lost_nothing():
    power_cuts(POWER_CUTS)


@needs_root
def test_the_power_cuts_would_show_a_server_that_does_not_sync(shim, monkeypatch, tmp_path):
    """From a store that is whole on the device on, no sync does anything: the server
    comes up again, and what it acknowledged since is missing."""
    when = tmp_path / "now"
    preload(monkeypatch, shim, FAULT_CALLS="sync", FAULT_ERRNO="0", FAULT_PATH="/store/",
            FAULT_WHEN=str(when))

    def no_sync_any_more(disk):
        subprocess.run(["sync", "-f", disk.mount], check=True)
        when.touch()
    with pytest.raises(AssertionError) as seen:
        power_cuts(1, no_sync_any_more)
    why = seen.value.__cause__ or seen.value    # the site may have had more to say
    assert isinstance(why, Lost), why
    print(str(why)[:200])


# ---- a device that fails ----

@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """fail_write.c as a library to preload."""
    library = tmp_path_factory.mktemp("shim") / "fail_write.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "fail_write.c", "-ldl"],
                   check=True)
    return library


def preload(monkeypatch, library, **env):
    first = [line.split("=>")[1].split()[0] for line in subprocess.run(
        ["ldd", harness.binary()], capture_output=True, text=True).stdout.splitlines()
        if "libasan" in line or "libtsan" in line]
    plain = harness.environment

    def environment():
        return dict(plain(), LD_PRELOAD=" ".join([*first, str(library)]), **env)
    monkeypatch.setattr(harness, "environment", environment)
    return lambda: monkeypatch.setattr(harness, "environment", plain)


@pytest.mark.parametrize("errno", (5, 28), ids=("EIO", "ENOSPC"))
@pytest.mark.parametrize("path", ("/segments/", "/index/"), ids=("bodies", "rows"))
def test_a_write_that_fails_loses_nothing(shim, monkeypatch, tmp_path, errno, path):
    """Commands are answered with NO, or the process ends with a sentence."""
    when = tmp_path / "now"
    team = writers(errno)
    undo = preload(monkeypatch, shim, FAULT_CALLS="write", FAULT_ERRNO=str(errno),
                   FAULT_PATH=path, FAULT_WHEN=str(when))
    with harness.Site(users=USERS) as site:
        make_prefixes(site, team)
        with load(site, team):
            time.sleep(LOAD_S / 2)
            when.touch()
            time.sleep(LOAD_S / 2)
        ended = site.proc.poll()
        refused = sum(w.refused for w in team)
        if ended is not None:
            said = site.stderr()
            assert ended != 0 and "nothing more is acknowledged" in said, said[-2000:]
            site.proc = None
        else:
            assert refused, "no write failed"
            site.kill()
        undo()
        site.start()
        verify(site, team)
        harness.run("check", site.dir)


class Postman:
    """Delivers by LMTP, and knows what was accepted."""

    def __init__(self, site, n):
        self.site, self.n = site, n
        self.accepted, self.refused, self.fault = set(), 0, None

    def run(self, until):
        try:
            with lmtp.Lmtp(self.site) as k:
                i = 0
                while not until():
                    i += 1
                    to = ["w0", f"w{self.n % OWN}", "shared"]
                    key = f"lmtp{self.n}-{i}"
                    k.begin(*to)
                    k.send(lmtp.stuffed(message(key)) + b".\r\n")
                    for user, r in zip(to, k.end(len(to))):
                        if r.code == 250:
                            self.accepted.add((user, key))
                        else:
                            assert r.code // 100 == 4, r
                            self.refused += 1
        except (EOFError, OSError):
            pass
        except Exception as e:      # told by the main thread
            self.fault = e


def what_arrived(site, user):
    c = crash_model.Imap(site.ports["imap"], user, harness.USER_PW)
    arrived = collections.Counter()
    if not any(b"* 0 EXISTS" in u for u in c.ok("EXAMINE INBOX")[1]):
        for item in c.ok("UID FETCH 1:* BODY.PEEK[]")[1]:
            key = re.search(rb"X-Key: (\S+)", item)
            assert key and item.count(message(key[1].decode())) == 1, item[:300]
            arrived[key[1].decode()] += 1
    c.close()
    return arrived


@contextlib.contextmanager
def deliveries(site, postmen):
    is_over = threading.Event()
    threads = [threading.Thread(target=p.run, args=(is_over.is_set,)) for p in postmen]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        is_over.set()
        for t in threads:
            t.join()
    for p in postmen:
        if p.fault:
            raise p.fault


def index_is_full(site, team, make_full, make_room):
    """Mail is appended and delivered while the index gets no room any more. Whatever is
    refused is refused for now, and what was accepted is there afterwards, once."""
    postmen = [Postman(site, n) for n in range(4)]
    make_prefixes(site, team)
    with load(site, team), deliveries(site, postmen):
        time.sleep(LOAD_S)
        make_full()
        time.sleep(LOAD_S)
    ended = site.proc.poll()
    if ended is not None:
        assert ended != 0 and "nothing more is acknowledged" in site.stderr(), site.stderr()[-2000:]
        site.proc = None
    else:
        assert sum(w.refused for w in team) + sum(p.refused for p in postmen), "nothing was full"
        site.kill()
    make_room()
    site.start()
    verify(site, team)
    accepted = set().union(*(p.accepted for p in postmen))
    assert len(accepted) > 20
    for user in {user for user, _ in accepted}:
        arrived = what_arrived(site, user)
        lost = {key for u, key in accepted if u == user and not arrived[key]}
        assert not lost, (user, lost)
        # a recipient may be named twice in one transaction, and gets it once
        assert max(arrived.values()) == 1, arrived.most_common(3)
    harness.run("check", site.dir)


def test_no_space_for_the_index_loses_neither_appends_nor_deliveries(shim, monkeypatch, tmp_path):
    when = tmp_path / "now"
    undo = preload(monkeypatch, shim, FAULT_CALLS="write", FAULT_ERRNO="28",
                   FAULT_PATH="/index/", FAULT_WHEN=str(when))
    with harness.Site(users=USERS, configure=lmtp.listen) as site:
        index_is_full(site, writers(SEED), when.touch, undo)


@needs_root
def test_a_disk_that_is_full_to_the_last_byte_loses_nothing():
    """No reserve: log, tables and segments all run into the end of the device."""
    with Disk(160, "tmpfs") as disk, disk.site(reserve=0, also=lmtp.listen) as site:
        filler = disk.mount / "filler"

        def fill():
            with open(filler, "wb", buffering=0) as f, contextlib.suppress(OSError):
                while True:
                    f.write(bytes(1 << 16))
        index_is_full(site, writers(SEED), fill, filler.unlink)
        site.stop()
        harness.run("check", site.dir)


@needs_root
def test_a_disk_that_fills_up_refuses_what_needs_room_and_lets_delete():
    team = writers(99)
    with Disk(160, "tmpfs") as disk, disk.site(reserve=100 << 20) as site:
        make_prefixes(site, team)
        filler = disk.mount / "filler"
        with load(site, team):
            time.sleep(LOAD_S)
            assert not sum(w.refused for w in team)
            filler.write_bytes(bytes(50 << 20))
            time.sleep(LOAD_S)
        assert sum(w.refused for w in team) > 0, "nothing was refused"
        verify(site, team)
        # nothing can be added, all can be taken away
        w = next(w for w in team if any(b.at for b in w.model.box.values()))
        name = next(n for n, b in w.model.box.items() if b.at)
        c = harness_client(site, w)
        assert c.command(f'APPEND "{name}" {{3}}', b"a\r\n")[0].startswith("NO [OVERQUOTA]")
        c.ok(f'SELECT "{name}"')
        c.ok("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        c.ok("UNSELECT")
        c.ok(f'DELETE "{name}"')
        del w.model.box[name]
        # and there is room again, without a restart
        filler.unlink()
        time.sleep(0.2)
        other = f"{w.prefix}/again"
        c.ok(f'CREATE "{other}"')
        c.ok(f'DELETE "{other}"')
        c.close()
        verify(site, team)
        site.stop()
        harness.run("check", site.dir)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-s", *sys.argv[1:]]))
