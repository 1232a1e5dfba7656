"""The catalogue (po/, RFC 5255): complete, the same conversions, nothing stale."""

import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "po"))
from strings import read_po, strings    # noqa: E402

def code(text):
    """The response code that it begins with, never translated."""
    return re.match(r"(\[[A-Z]+\] )?", text)[0] or text.startswith("[")


LANGUAGES = sorted((ROOT / "po").glob("*.po"))
HOW = ("run `po/strings.py --update`, which puts the new texts into po/*.po, and fill in "
       "their msgstr (CONTRIBUTING.md)")


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda p: p.stem)
def test_every_text_is_translated_and_none_is_stale(path):
    said, known = strings(), dict(read_po(path)[1:])
    missing = [f"{said[t][0]}: {t}" for t in sorted(said) if not known.get(t)]
    stale = sorted(set(known) - set(said))
    assert not missing and not stale, (
        f"{path.name}: {HOW}\n  to translate:\n    " + "\n    ".join(missing)
        + "\n  no longer said:\n    " + "\n    ".join(stale))


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda p: p.stem)
def test_conversions_are_the_same_in_the_same_order(path):
    for text, said in read_po(path)[1:]:
        find = re.compile(r"%[-+ #0-9.*]*(?:hh|h|ll|l|z|j)?[a-zA-Z%]").findall
        assert find(text) == find(said), (text, said)


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda p: p.stem)
def test_texts_are_resp_text(path):
    """RFC 5255 section 3.5: no control characters; no "[" but that of the same code."""
    for text, said in read_po(path)[1:]:
        assert not re.search(r"[\x00-\x1f\x7f]", said) and \
                code(said) == code(text), said
        assert text.endswith(".") == said.endswith("."), (text, said)


def test_whoever_speaks_goes_through_the_catalogue():
    """Untagged OK, NO, BAD and BYE with a text stand in reply.c alone."""
    for path in (ROOT / "src/server").glob("*.c"):
        if path.name in ("reply.c",) or path.name.startswith("lmtp"):
            continue
        bad = re.findall(r'untagged\([^;]*?"(?:OK|NO|BAD|BYE) [^"]*[a-z]{3,} [^"]*"',
                         path.read_text())
        assert not bad, (path.name, bad)
