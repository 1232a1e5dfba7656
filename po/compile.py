#!/usr/bin/env python3
"""The catalogue as C: compile.py OUTPUT LANGUAGE.po...  (src/server/language.h)"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from strings import quote, read_po      # noqa: E402


def main(output, *paths):
    tags = [pathlib.Path(p).stem for p in paths]
    said = [dict(read_po(pathlib.Path(p))[1:]) for p in paths]
    texts = sorted({t for s in said for t in s}, key=str.encode)
    lines = ["/* Written by po/compile.py from po/: the catalogue. */",
             '#include "server/language.h"', "",
             "const char *const language_tags[] = { "
             + "".join(f"{quote(t)}, " for t in tags) + "NULL };",
             "const struct language_entry language_table[] = {"]
    for t in texts:
        # what is not translated stays English
        lines.append(f"\t{{ {quote(t)}, {{ "
                     + ", ".join(quote(s.get(t) or t) for s in said) + " } },")
    lines += ["\t{ NULL, { NULL } },", "};",
              f"const size_t language_entries = {len(texts)};", ""]
    pathlib.Path(output).write_text("\n".join(lines), encoding="utf-8")


main(*sys.argv[1:])
