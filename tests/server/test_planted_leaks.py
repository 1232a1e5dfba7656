"""The tests bite: mistakes of the kinds that leak one user to the next are each caught.

Each plant is a change of a few lines to one source file of src/server: a static, a
field kept in the connection, a reset field by field, a forgotten deferral.  The file is
compiled beside the sanitizer build with the build's own command, and linked before the
archives into a server of its own.  That server must be caught by what is said beside
the plant, and the server as it is by nothing:

    statics       tests/statics.py finds a writable variable in the object file
    transcripts   a transcript differs on a connection that another user had before
    slots         S64 of the state table: a user's slot is not free after UNAUTHENTICATE
    sanitizer     AddressSanitizer or LeakSanitizer, at the latest when the server ends
"""

import concurrent.futures
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import harness                             # noqa: E402
import statics                             # noqa: E402
import transcript                          # noqa: E402
from settings import PATIENT, both, limit  # noqa: E402

SOURCES = harness.ROOT / "src" / "server"


class Plant:
    def __init__(self, name, caught_by, scripts, source, *changes):
        self.name, self.caught_by, self.scripts = name, set(caught_by.split()), scripts.split()
        self.source, self.changes = source, changes


PLANTS = [
    Plant("enabled extensions in a static", "statics transcripts", "search", "session.c", (
        "	return s->enabled & ENABLED_REV2;",
        """	static unsigned planted;

	planted |= s->enabled;
	return planted & ENABLED_REV2;""")),
    Plant("'$' in a static", "statics transcripts", "searchres", "selected.c", (
        "static void mailbox_drop(",
        "static struct numrange planted;\n\nstatic void mailbox_drop("), (
        "	arena_free(s->selected->arena);",
        """	if (s->selected->saved.n)
		planted = s->selected->saved.r[0];
	arena_free(s->selected->arena);"""), (
        "	sel->read_only = read_only;",
        """	sel->read_only = read_only;
	if (planted.lo)
		numset_add_range(&sel->saved, planted.lo, planted.hi);""")),
    # net_counters of a connection that has gone: nobody looks there before
    Plant("enabled extensions in the connection", "transcripts", "search", "session.c", (
        "	s->state = IN_NOT_AUTH;",
        "	s->state = IN_NOT_AUTH;\n"
        "	s->enabled = (unsigned)c->last_counters.plain_in;"), (
        "	audit(s);\n",
        "	s->conn->last_counters.plain_in = s->enabled;\n	audit(s);\n")),
    Plant("'$' in the connection", "transcripts", "searchres", "selected.c", (
        "	arena_free(s->selected->arena);",
        """	if (s->selected->saved.n)
		s->conn->last_counters.plain_in = s->selected->saved.r[0].lo;
	arena_free(s->selected->arena);"""), (
        "	sel->read_only = read_only;",
        """	sel->read_only = read_only;
	if (s->conn->last_counters.plain_in)
		numset_add(&sel->saved, (uint32_t)s->conn->last_counters.plain_in);""")),
    Plant("the gate in the connection", "transcripts", "login", "session.c", (
        "	s->epoch = ++c->epoch;",
        """	s->may_unauthenticate |= c->last_counters.plain_in != 0;
	c->last_counters.plain_in |= s->may_unauthenticate;
	s->epoch = ++c->epoch;""")),
    Plant("a reset field by field", "transcripts", "search", "conn.c", (
        """		session_end(c->session);
		c->session = session_new(c);""",
        """		selected_end(c->session);
		c->session->state = IN_NOT_AUTH;
		c->session->account = NULL;""")),
    Plant("the mailbox stays selected", "transcripts", "ext_unauthenticate", "conn.c", (
        """		session_end(c->session);
		c->session = session_new(c);""",
        "		c->session->may_unauthenticate = false;")),
    Plant("the watch is not closed", "sanitizer", "updates", "session.c", (
        "	arena_defer(s->arena, watch_drop, s->watch);",
        "	(void)watch_drop;")),
    Plant("a view is not let go", "sanitizer", "search", "selected.c", (
        "	view_unref(sel->told);\n", "")),
    Plant("the mailbox is not let go", "sanitizer", "search", "selected.c", (
        "	arena_defer(a, mailbox_drop, m);", "	(void)mailbox_drop;")),
    Plant("the account is not let go", "sanitizer", "search", "session.c", (
        "	arena_defer(s->arena, account_drop, account);", "	(void)account_drop;")),
    Plant("the slot is not released", "slots", "search", "session.c", (
        "	arena_defer(s->arena, slot_drop, s);", "	(void)slot_drop;")),
]


class Build:
    """The build directory of the binary under test."""

    def __init__(self, where):
        self.where = where
        self.units = json.loads((where / "compile_commands.json").read_text())
        self.link = shlex.split(subprocess.run(
            ["ninja", "-C", where, "-t", "commands", "mailstile"],
            capture_output=True, text=True, check=True).stdout.splitlines()[-1])

    def unit(self, source):
        return next(u for u in self.units if u["file"].endswith(f"src/server/{source}"))

    def compile(self, source, text, into):
        """The command of the build, for another text and another object."""
        unit = self.unit(source)
        copy, obj = into / source, into / (source + ".o")
        copy.write_text(text)
        argv = shlex.split(unit["command"])
        for flag, value in (("-o", obj), ("-MF", into / "d"), ("-MQ", obj), ("-c", copy)):
            argv[argv.index(flag) + 1] = str(value)
        self.run(argv)
        return obj

    def relink(self, obj, into):
        """Before the archives, so that its namesake there is not wanted any more."""
        argv = list(self.link)
        argv[argv.index("-o") + 1] = str(into / "mailstile")
        argv.insert(argv.index("-o") + 2, str(obj))
        self.run(argv)
        return into / "mailstile"

    def run(self, argv):
        done = subprocess.run(argv, cwd=self.where, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(argv)}\n{done.stderr}"


def patched(plant):
    text = (SOURCES / plant.source).read_text()
    for old, new in plant.changes:
        assert text.count(old) == 1, f"{plant.name}: {plant.source} has {text.count(old)} of {old!r}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def build():
    where = pathlib.Path(harness.binary()).resolve().parent
    if not (where / "compile_commands.json").exists():
        pytest.skip("the binary does not lie in its build directory")
    b = Build(where)
    if "address" not in b.unit("session.c")["command"].split("-fsanitize=")[-1]:
        pytest.skip("this needs a build with -Db_sanitize=address,undefined")
    return b


@pytest.fixture(scope="module")
def site():
    with harness.Site(pool=400, start=False, configure=both(
            PATIENT, limit("sessions-per-user", 2))) as s:
        yield s


@pytest.fixture(scope="module")
def grown(build):
    """Every plant's object and server, compiled once, two at a time."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="mailstile-plant-"))

    def grow(i):
        into = top / str(i)
        into.mkdir()
        obj = build.compile(PLANTS[i].source, patched(PLANTS[i]), into)
        return obj, build.relink(obj, into)

    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            yield list(pool.map(grow, range(len(PLANTS))))
    finally:
        shutil.rmtree(top, ignore_errors=True)


def found_statics(obj):
    return [name for name, _ in statics.writable(obj) if not name.startswith("__odr_asan")]


def slots_are_left(site):
    """Two sessions for each user: one may stay, and then one that has been away."""
    user = site.new_user()
    with site.session(user) as k:
        for _ in range(3):
            k.unauthenticate()
            if k.authenticate(user).status != "OK":
                return False
    return True


def play(site, scripts):
    """What catches this server."""
    caught = {}
    try:
        site.start()
        for name in scripts:
            try:
                transcript.check(transcript.HERE / f"{name}.imap", site, "plain")
            except AssertionError as e:
                caught["transcripts"] = str(e)
        if site.proc.poll() is None and not slots_are_left(site):
            caught["slots"] = "a user has no session left"
    except (AssertionError, EOFError, OSError) as e:
        caught["died"] = repr(e)
    try:
        site.stop()
    except AssertionError as e:
        report = re.search(r"(?:ERROR|SUMMARY): (?:Address|Leak)Sanitizer.*|Assertion.*", str(e))
        caught["sanitizer" if report else "died"] = report[0] if report else str(e)
    finally:
        site.kill()
    return caught


def test_the_server_as_it_is_is_not_caught(build, site):
    for plant in PLANTS:
        obj = build.where / build.unit(plant.source)["output"]
        assert not found_statics(obj)
    assert play(site, sorted({s for p in PLANTS for s in p.scripts})) == {}


@pytest.mark.parametrize("i", range(len(PLANTS)), ids=[p.name.replace(" ", "-") for p in PLANTS])
def test_a_planted_leak_is_caught(grown, site, monkeypatch, i):
    plant, (obj, server) = PLANTS[i], grown[i]
    monkeypatch.setenv("MAILSTILE_BIN", str(server))
    caught = play(site, plant.scripts)
    if names := found_statics(obj):
        caught["statics"] = ", ".join(names)
    print(f"{plant.name}:")
    for by, how in caught.items():
        print(f"    {by}: {how[:600]}")
    assert plant.caught_by <= set(caught), caught
