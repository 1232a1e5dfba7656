"""The pages say what is there: the table of support, links, man pages."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = os.environ.get("MAILSTILE_BIN") or str(TOP / "build" / "mailstile")
PAGES = [TOP / n for n in ("README.md", "CONTRIBUTING.md", "CHANGES.md")] + sorted(
    (TOP / "doc").rglob("*.md"))
MAN = sorted((TOP / "doc" / "man").glob("*.scd"))


def test_table_of_support_is_what_is_registered():
    table = subprocess.run([BIN, "--support"], capture_output=True, text=True, check=True).stdout
    text = (TOP / "README.md").read_text()
    shown = re.search(r"<!-- support:.*?-->\n(.*?)<!-- end -->", text, re.S).group(1)
    assert shown == table, "put the output of `mailstile --support` into README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_subcommand_has_a_man_page():
    text = subprocess.run([BIN, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z]+) {2,}", text, re.M)
    assert commands
    for name in commands:
        assert (TOP / "doc" / "man" / f"mailstile-{name}.1.scd").exists(), name


@pytest.mark.parametrize("page", MAN, ids=lambda p: p.name)
def test_man_page_is_well_formed(page):
    scdoc = shutil.which("scdoc")
    if not scdoc:
        pytest.skip("scdoc is not installed (Debian: scdoc)")
    done = subprocess.run([scdoc], stdin=open(page), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ".SH" in done.stdout


def sources():
    """What git tracks; where there is no git, all but what is built and installed."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=TOP)
    if listed.returncode == 0:
        return [TOP / name for name in listed.stdout.split()]
    return [p for p in TOP.rglob("*")
            if not {"build", "var", "node_modules", "__pycache__"} & set(p.relative_to(TOP).parts)]


def test_nothing_leans_on_the_developers_machine():
    """The repository is complete in itself."""
    needle = ("../" + "shared").encode()
    for path in sources():
        if path.is_file() and "corpus" not in path.parts and ".ci" not in path.parts:
            assert needle not in path.read_bytes(), path


# ---- doc/unauthenticate.md, number by number ----

NUMBERS = ([f"U{n}" for n in range(1, 43)] + [f"D{n}" for n in range(1, 19)]
           + [f"S{n}" for n in range(1, 73)] + [f"P{n}" for n in range(1, 9)]
           + [f"C{n}" for n in range(1, 9)])


def rows():
    text = (TOP / "doc" / "unauthenticate.md").read_text()
    return dict(re.findall(r"^\| ([UDSPC]\d+) \|.*\| ([^|]+) \|$", text, re.M))


def known_tests():
    """Test functions of Python and of C, by name."""
    found = set()
    for path in (TOP / "tests").rglob("test_*"):
        if path.suffix == ".py":
            found |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.M))
        elif path.suffix == ".c":
            found |= set(re.findall(r"^static void (\w+)\(void \*\*", path.read_text(), re.M))
    return found


def test_every_number_has_one_row():
    text = (TOP / "doc" / "unauthenticate.md").read_text()
    assert re.findall(r"^\| ([UDSPC]\d+) \|", text, re.M) == NUMBERS


def test_each_row_names_tests_that_exist_or_says_why_not():
    known = known_tests()
    for number, proof in rows().items():
        if proof.startswith(("waits: ", "does not apply: ")):
            continue
        named = re.findall(r"`(\w+)`", proof)
        assert named, f"{number} names no test"
        assert set(named) <= known, f"{number}: {set(named) - known}"


def test_each_test_of_a_number_stands_in_its_row():
    table = rows()
    for name in known_tests():
        for number in re.findall(r"(?:^test|_and)_([USDPC]\d+)(?=_)", name):
            assert number in table and f"`{name}`" in table[number], f"{name} is not at {number}"
