#!/usr/bin/python3
"""Every test, in steps; ends with one line "N passed, N failed, N skipped".

./test calls this after it has installed what is needed. Options choose steps:

    tests/run.py                 all of them
    tests/run.py unit server     these
    tests/run.py --list          their names
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
PYTHON = "/usr/bin/python3"
SANITIZED = BUILD / "asan"
# What is worth its time under TSan: loops, workers, the commit thread, shared views.
THREADED = ["base/task", "net/loop", "net/listener", "net/stack", "net/tls", "auth login",
            "auth throttle", "auth verdict", "client pool", "client library", "store/engine", "store/commit",
            "store/sessions/mem", "store/life/mem", "store/model/mem"]
FUZZ_SECONDS = int(os.environ.get("MAILSTILE_FUZZ_SECONDS", "4"))


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(argv, log, env=None, timeout=1200):
    """Runs a command into a log file; returns its exit status and output."""
    log.parent.mkdir(parents=True, exist_ok=True)
    full = dict(os.environ, **(env or {}))
    with open(log, "w", errors="replace") as out:
        try:
            status = subprocess.run([str(a) for a in argv], stdout=out, cwd=TOP, env=full,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                    timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            status = "no end after %d s" % timeout
    return status, log.read_text(errors="replace")


def tail(text, lines=40):
    for line in text.splitlines()[-lines:]:
        print("    " + line)


def build(name, options, env=None):
    """Configures and compiles; nothing may be said by the compiler."""
    where = BUILD / name
    log = BUILD / "log" / f"build-{name}.log"
    if not (where / "build.ninja").exists():
        status, text = run(["meson", "setup", where, *options], log, env)
        if status:
            tail(text)
            return Count(failed=1)
    status, text = run(["ninja", "-C", where], log, env)
    if status:
        tail("\n".join(line for line in text.splitlines()
                       if not re.match(r"\[\d+/\d+\]|ccache |cc |clang ", line)))
        return Count(failed=1)
    return Count(passed=1)


def meson_tests(name, wanted=(), env=None):
    """Runs cmocka programs, those named or all; counts their cases."""
    log = BUILD / "log" / f"unit-{name}.log"
    where = BUILD / name
    argv = ["meson", "test", "-C", where, "--no-rebuild", "--print-errorlogs", "-t", "5", *wanted]
    status, text = run(argv, log, env)
    detail = (where / "meson-logs" / "testlog.txt").read_text(errors="replace")
    total = Count(*(sum(int(n) for n in re.findall(
        r"\[\s*%s\s*\]:? (\d+) test\(s\)" % word, detail))
        for word in ("PASSED", "FAILED", "SKIPPED")))
    # A program that crashed or that does not count its cases.
    summary = dict(re.findall(r"^(Ok|Fail|Timeout|Skipped):\s+(\d+)", text, re.M))
    if total.passed == 0:
        total.passed = int(summary.get("Ok", 0))
    bad = int(summary.get("Fail", 0)) + int(summary.get("Timeout", 0))
    if (bad or status) and total.failed == 0:
        total.failed = max(bad, 1)
    if total.failed:
        tail(text, 60)
    return total


def pytest_file(name, path, env):
    log = BUILD / "log" / f"{name}-{path.stem}.log"
    report = log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    status, text = run([PYTHON, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
                        f"--junitxml={report}", path], log,
                       dict({"MAILSTILE_BIN": str(SANITIZED / "mailstile"),
                             "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
                             "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}, **env))
    if not report.exists():
        return Count(failed=1), text
    suite = xml.parse(report).getroot().find("testsuite").attrib
    bad = int(suite["failures"]) + int(suite["errors"])
    skipped = int(suite["skipped"])
    return Count(int(suite["tests"]) - bad - skipped, bad, skipped), text


def pytest(name, paths, env=None, at_once=3):
    """Runs files of black-box tests, a few at once: they mostly wait."""
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for count, text in pool.map(lambda p: pytest_file(name, p, env or {}), paths):
            total.add(count)
            if count.failed:
                tail(text, 80)
            for line in text.splitlines():
                if line.startswith("SKIPPED"):
                    print("    " + line)
    return total


def files(folder):
    return sorted((TOP / "tests" / folder).glob("test_*.py"))


# ---- the steps ----

def step_build():
    """compile under ASan and UBSan (gcc)"""
    return build("asan", ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined",
                          "-Db_lundef=false"])


def step_release():
    """compile as it is shipped; no writable static in any room"""
    count = build("release", ["--buildtype=release", "-Dtests=false"])
    if not count.failed:
        status, text = run([PYTHON, "tests/statics.py", BUILD / "release"],
                           BUILD / "log" / "statics.log")
        count.add(Count(failed=1) if status else Count(passed=1))
        if status:
            tail(text)
    return count


def step_unit():
    """unit tests of the rooms"""
    return meson_tests("asan")


TSAN = {"TSAN_OPTIONS": f"halt_on_error=1:suppressions={TOP / 'tests' / 'tsan.supp'}",
        "MAILSTILE_BIN": str(BUILD / "tsan" / "mailstile")}


def build_tsan():
    return build("tsan", ["--buildtype=debugoptimized", "-Db_sanitize=thread",
                          "-Db_lundef=false"])


def step_threads():
    """what has threads, under TSan"""
    count = build_tsan()
    if not count.failed:
        count.add(meson_tests("tsan", THREADED, TSAN))
        count.add(pytest("threads", [TOP / "tests" / "server" / f"test_{name}.py"
                                     for name in ("transcripts", "state_table")], TSAN))
    return count


def step_tsan():
    """every black-box test, under TSan (half an hour)"""
    count = build_tsan()
    if not count.failed:
        paths = [p for folder in ("server", "store", "tools", "clients") for p in files(folder)]
        count.add(pytest("tsan", paths, TSAN))
    return count


def step_fuzz():
    """every parser of bytes from a peer, a few seconds each (clang, libFuzzer)"""
    count = build("fuzz", ["--buildtype=debugoptimized", "-Dfuzz=true", "-Dtests=false",
                           "-Dc_args=-fsanitize=fuzzer-no-link",   # or it sees no coverage
                           "-Db_sanitize=address,undefined", "-Db_lundef=false"],
                  {"CC": "clang"})
    if count.failed:
        return count
    programs = sorted(p for p in (BUILD / "fuzz" / "fuzz").glob("fuzz_*")
                      if p.is_file() and os.access(p, os.X_OK))
    for program in programs:
        name = program.name
        found = BUILD / "log" / "corpus" / name
        found.mkdir(parents=True, exist_ok=True)
        argv = [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                f"-artifact_prefix={found}/", found]
        target = name.removeprefix("fuzz_")
        seeds = TOP / "fuzz" / "corpus" / target
        argv += [seeds] if seeds.is_dir() else []
        dictionary = TOP / "fuzz" / f"{target}.dict"
        if not dictionary.exists():
            dictionary = TOP / "fuzz" / "imap.dict"
        argv.insert(1, f"-dict={dictionary}")
        status, text = run(argv, BUILD / "log" / f"{name}.log", timeout=FUZZ_SECONDS + 120)
        count.add(Count(failed=1) if status else Count(passed=1))
        if status:
            print(f"    {name}:")
            tail(text)
    return count


def step_server():
    """the protocol: transcripts, the state table, pipelines cut at every byte"""
    return pytest("server", files("server"))


def step_random():
    """random preludes and scripts, a fresh connection against a used one"""
    status, text = run([PYTHON, TOP / "tests" / "server" / "random_pairs.py"],
                       BUILD / "log" / "random.log",
                       {"MAILSTILE_BIN": str(SANITIZED / "mailstile")})
    tail(text, 3 if not status else 60)
    return Count(failed=1) if status else Count(passed=1)


def step_store():
    """kill -9 under clients that write; what was acknowledged is there"""
    return pytest("store", files("store"))


def step_tools():
    """the commands, their man pages and the pages of doc/"""
    return pytest("tools", files("tools"))


def step_clients():
    """real mail clients"""
    return pytest("clients", files("clients"))


STEPS = ["build", "release", "unit", "threads", "fuzz", "store", "server", "random", "tools",
         "clients"]
BY_NAME = ["tsan"]      # only when they are named


def main():
    steps = {name: globals()["step_" + name] for name in STEPS + BY_NAME}
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")] or STEPS
    if "--list" in sys.argv:
        for name, step in steps.items():
            print(f"{name:10} {step.__doc__}")
        return 0
    for name in wanted:
        if name not in steps:
            print(f"There is no step {name!r}; tests/run.py --list names them.", file=sys.stderr)
            return 2
    total = Count()
    for name in wanted:
        start = time.monotonic()
        print(f"== {name}: {steps[name].__doc__}", flush=True)
        count = steps[name]()
        total.add(count)
        print(f"   {count} ({time.monotonic() - start:.0f} s)", flush=True)
        if name == "build" and count.failed:
            break
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
