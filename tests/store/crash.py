#!/usr/bin/python3
"""Kills a process that writes to a store, and looks at what it left.

Every operation that was acknowledged must be there, its body byte for byte,
and the account's numbers without a hole. Bodies that never reached the
device must be found, and a sync that fails must end the process without one
more acknowledgement.

    crash.py WRITER FAIL_SYNC [--rounds N] [--seconds S] [--power-cuts N]

--power-cuts needs root: an ext4 on a loop device is shut down under load
without its journal being flushed, so that only what was synced is left.
"""
import argparse
import fcntl
import glob
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time


def run(*command, **more):
    return subprocess.run(command, text=True, capture_output=True, **more)


def check(condition, *what):
    if not condition:
        print("FAILED:", *what)
        sys.exit(1)


def start(writer, where, seed, acks, **env):
    verb = "churn" if "KILL_AT" in env else "write"
    process = subprocess.Popen([writer, verb, where, str(seed)], stdout=acks,
                               stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **env})
    # a sanitizer may say something first
    while (line := process.stderr.readline()) and line != "ready\n":
        pass
    check(line, "the writer did not start")
    return process


def whole_lines(path):
    with open(path, "rb") as f:
        data = f.read()
    return data[:data.rfind(b"\n") + 1].decode()


def killed_writers_lose_nothing(writer, where, rounds, seconds):
    acks = os.path.join(where, "acks")
    store = os.path.join(where, "store")
    for seed in range(1, rounds + 1):
        with open(acks, "a") as out:
            process = start(writer, store, seed, out)
            time.sleep(seconds * (0.5 + seed % 3 / 2))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        check(process.returncode == -signal.SIGKILL, "ended by itself", process.returncode)
        lines = whole_lines(acks)
        result = run(writer, "verify", store, input=lines)
        print(f"round {seed}: {lines.count(chr(10))} acknowledged so far")
        check(lines, "nothing was acknowledged")
        check(result.returncode == 0, result.stdout[-2000:], result.stderr[-2000:])


POINTS = ("begin", "copied", "synced", "switched", "empty", "unlinked", "removed")


def a_collector_killed_anywhere_loses_nothing(writer, where):
    store, acks = os.path.join(where, "collect"), os.path.join(where, "collect.acks")
    for round, point in enumerate(POINTS):
        with open(acks, "a") as out:
            process = start(writer, store, 500 + round, out, KILL_AT=point,
                            KILL_COUNT=str(1 + round % 3))
            try:
                errors = process.communicate(timeout=60)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                check(False, f"the collector did not come to {point!r}")
        check(process.returncode == -signal.SIGKILL, point, process.returncode, errors[-2000:])
        lines = whole_lines(acks)
        result = run(writer, "verify", store, input=lines)
        check(result.returncode == 0, point, result.stdout[-2000:], result.stderr[-2000:])
    held = sum(int(a[3]) for a in held_of(lines).values())
    disk = sum(os.path.getsize(f) for f in glob.glob(store + "/segments/*.seg"))
    print(f"collector: killed at {len(POINTS)} points; {held >> 20} MiB held in {disk >> 20} MiB")


def held_of(lines):
    held = {}
    for line in lines.splitlines():
        fields = line.split()
        if fields[0] == "D":
            held.pop((fields[1], fields[2]), None)
        else:
            held[fields[0], fields[1]] = fields
    return held


def a_torn_body_is_found_and_dropped(writer, where):
    for name, damage in (
            ("cut", lambda f, n: f.truncate(n // 2)),
            ("zeros", lambda f, n: (f.seek(n // 2), f.write(bytes(n - n // 2)))),
            ("empty", lambda f, n: f.truncate(0))):
        store = os.path.join(where, "torn-" + name)
        check(run(writer, "once", store).returncode == 0, "once")
        segment, = glob.glob(store + "/segments/*.seg")
        with open(segment, "r+b") as f:
            damage(f, os.path.getsize(segment))
        for expected in (1, 1):  # listed until it is dropped
            result = run(writer, "torn", store)
            check(result.stdout.count("torn: ") == expected, name, result.stdout, result.stderr)
        run(writer, "torn", store, "drop")
        result = run(writer, "torn", store)
        check(result.returncode == 0 and result.stdout == "", name, result.stdout, result.stderr)


def a_whole_body_is_not_called_torn(writer, where):
    store = os.path.join(where, "whole")
    acks = run(writer, "once", store).stdout
    result = run(writer, "torn", store)
    check(result.returncode == 0 and result.stdout == "", result.stdout, result.stderr)
    result = run(writer, "verify", store, input=acks)
    check(result.returncode == 0, result.stdout, result.stderr)


def a_failed_sync_is_fatal(writer, shim, where):
    for part in ("/segments/", "/index/"):
        store = os.path.join(where, "fault" + part.replace("/", "-"))
        acks, when = store + ".acks", store + ".when"
        # the sanitizer's library must come first
        preload = " ".join(filter(None, [sanitizer_of(writer), shim]))
        with open(acks, "a") as out:
            process = start(writer, store, 1, out, LD_PRELOAD=preload,
                            FAIL_SYNC_WHEN=when, FAIL_SYNC_PATH=part)
            time.sleep(0.5)
            open(when, "w").close()
            try:
                errors = process.communicate(timeout=30)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                check(False, part, "the writer went on")
        check(process.returncode == 42 and "cannot make" in errors, part,
              process.returncode, errors[-2000:])
        before = whole_lines(acks)
        result = run(writer, "verify", store, input=before)
        check(result.returncode == 0, part, result.stdout[-2000:], result.stderr[-2000:])


EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587d, 2


def power_cuts_lose_nothing(writer, where, cuts, seconds):
    image, mount = os.path.join(where, "image"), os.path.join(where, "mount")
    acks = os.path.join(where, "power.acks")
    os.mkdir(mount)
    with open(image, "wb") as f:
        f.truncate(2 << 30)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    for seed in range(1, cuts + 1):
        subprocess.run(["mount", "-o", "loop", image, mount], check=True)
        try:
            with open(acks, "a") as out:
                process = start(writer, os.path.join(mount, "store"), 100 + seed, out)
                time.sleep(seconds * (0.5 + seed % 3 / 2))
                fd = os.open(mount, os.O_RDONLY)
                fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
                os.close(fd)
                process.kill()
                process.communicate()
            subprocess.run(["umount", mount], check=True)
            subprocess.run(["mount", "-o", "loop", image, mount], check=True)
            lines = whole_lines(acks)
            result = run(writer, "verify", os.path.join(mount, "store"), input=lines)
            print(f"power cut {seed}: {result.stderr.strip()}")
            check(lines, "nothing was acknowledged")
            check(result.returncode == 0, result.stdout[-2000:], result.stderr[-2000:])
        finally:
            subprocess.run(["umount", mount], check=True)


def sanitizer_of(program):
    for line in run("ldd", program).stdout.splitlines():
        if "libasan" in line or "libtsan" in line:
            return line.split("=>")[1].split()[0]
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("writer")
    parser.add_argument("fail_sync")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--power-cuts", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    where = tempfile.mkdtemp(prefix="crash-")
    try:
        killed_writers_lose_nothing(args.writer, where, args.rounds, args.seconds)
        a_collector_killed_anywhere_loses_nothing(args.writer, where)
        a_torn_body_is_found_and_dropped(args.writer, where)
        a_whole_body_is_not_called_torn(args.writer, where)
        a_failed_sync_is_fatal(args.writer, args.fail_sync, where)
        if args.power_cuts:
            power_cuts_lose_nothing(args.writer, where, args.power_cuts, args.seconds)
    finally:
        shutil.rmtree(where)
    print("nothing acknowledged was lost")


if __name__ == "__main__":
    main()
