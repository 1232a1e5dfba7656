#!/usr/bin/env python3
"""The texts that the IMAP server says to people, as they stand in its source.

    po/strings.py            lists them
    po/strings.py --update   puts new ones, untranslated, into po/*.po and takes out stale ones

A text is (1) in src/server any string that is a sentence: a capital, a space, a full stop at
the end; (2) what cursor_fail(), fail() and other readers say is wrong with a command; (3)
what stands in language_text(...).  The log, LMTP and the table of support are for operators: English.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = re.compile(r'''//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\w+|\s+|\S''',
                   re.S)
SENTENCE = re.compile(r"(\[[A-Z]+\] )?[A-Z][^\n]* [^\n]*\.")
WHY = {"cursor_fail", "fail", "run_or_string", "complain", "expected"}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def unescape(s):
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[0]), s)


def literals(text):
    """(line, value, the functions in whose arguments it stands, the member it is for)"""
    calls, last, member, joined, line = [], "", "", None, 1
    for m in TOKEN.finditer(text):
        t, at = m[0], line
        line += t.count("\n")
        if t.isspace() or t.startswith(("//", "/*")):
            continue
        if t.startswith('"'):
            if joined:
                joined[1] += unescape(t[1:-1])
            else:
                joined = [at, unescape(t[1:-1]), list(calls), member]
            continue
        if joined:
            yield tuple(joined)
            joined = None
        if t == "(":
            calls.append(last)
        elif t == ")" and calls:
            calls.pop()
        elif t in ";{}":
            calls, member = [], ""
        elif t == ",":
            member = ""
        elif last == ".":
            member = t
        last = t


def strings(root=ROOT):
    """{text: ["src/server/x.c:12", ...]}"""
    found = {}
    for path in sorted([*root.glob("src/server/*.c"), *root.glob("src/wire/*.c")]):
        is_server = path.parent.name == "server"
        if path.name.startswith(("lmtp", "response", "fetched")):
            continue
        for line, value, calls, member in literals(path.read_text()):
            why = any(c in WHY for c in calls)
            is_text = (is_server and SENTENCE.fullmatch(value) and member != "about"
                       or why and " " in value or "language_text" in calls
                       or "language_put_translation" in calls)
            # what operators read when the server starts
            is_text &= not calls or calls[-1] not in ("buf_puts", "buf_printf")
            if is_text:
                found.setdefault(value, []).append(f"{path.relative_to(root)}:{line}")
    return found


def quote(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def read_po(path):
    """[(msgid, msgstr)], the header first."""
    entries, field, value = [], None, {}
    for raw in path.read_text().splitlines() + ["msgid"]:
        line = raw.strip()
        if m := re.match(r'(msgid|msgstr)\s*(".*")?$', line):
            if m[1] == "msgid" and "msgid" in value:
                entries.append((value["msgid"], value.get("msgstr", "")))
                value = {}
            field = m[1]
            value[field] = unescape(m[2][1:-1]) if m[2] else ""
        elif line.startswith('"') and field:
            value[field] += unescape(line[1:-1])
    return entries


def write_po(path, header, translations, found):
    out = [f'msgid ""\nmsgstr ""\n' + "".join(quote(part + "\n") + "\n"
                                             for part in header.split("\n")[:-1])]
    for text in sorted(found):
        where = sorted({w.rpartition(":")[0] for w in found[text]})
        out.append("".join(f"#: {w}\n" for w in where)
                   + f"msgid {quote(text)}\nmsgstr {quote(translations.get(text, ''))}\n")
    path.write_text("\n".join(out))


def main():
    found = strings()
    if sys.argv[1:] == ["--update"]:
        for path in sorted((ROOT / "po").glob("*.po")):
            (_, header), *entries = read_po(path)
            known = {k: v for k, v in entries if v}
            write_po(path, header, known, found)
            print(f"{path.name}: {len([t for t in found if t not in known])} to translate, "
                  f"{len([t for t in known if t not in found])} stale ones taken out")
        return
    for text, where in sorted(found.items()):
        print(f"{where[0]}: {text}")


if __name__ == "__main__":
    main()
