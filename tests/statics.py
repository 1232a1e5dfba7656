#!/usr/bin/python3
"""No writable variable outlives a call in any room but tools (doc/rooms.md).

A comparison of transcripts cannot find two statics that never meet, so the
object files are asked: no symbol in .data, .bss, .tdata or .tbss. Constant
tables that hold pointers are in .data.rel.ro, which is read-only at run time.

    statics.py BUILD_DIR [--must-find]      (--must-find: succeeds only if there is one)
"""

import pathlib
import subprocess
import sys

ROOMS = ["base", "wire", "mail", "net", "auth", "store", "server", "client", "proxy"]


def writable(obj):
    """Names of the data symbols of an object file that lie in a writable section."""
    sections = {}
    text = subprocess.run(["readelf", "-SW", obj], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and "]" in line:
            number, rest = line[1:].split("]", 1)
            if number.strip().isdigit() and rest.split():
                sections[number.strip()] = rest.split()[0]
    text = subprocess.run(["readelf", "-sW", obj], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        part = line.split()
        if len(part) >= 8 and not part[7].startswith("__odr_asan") and part[3] in ("OBJECT", "TLS", "COMMON"):
            section = sections.get(part[6], "COMMON" if part[6] == "COM" else "")
            if section == "COMMON" or any(
                    section == s or section.startswith(s + ".") for s in (".data", ".bss", ".tdata", ".tbss")):
                if not section.startswith(".data.rel.ro"):
                    yield part[7], section


def main():
    where = pathlib.Path(sys.argv[1])
    found, seen = [], 0
    for room in ROOMS:
        for obj in (where / "src" / room).glob("*.p/*.o"):
            seen += 1
            found += [(room, obj.name, name, section) for name, section in writable(obj)]
    for room, obj, name, section in found:
        print(f"{room}: {obj}: {name} lies in {section}: keep it in the session, the connection or the server")
    print(f"{seen} object files, {len(found)} writable variables")
    if seen == 0:
        return 1
    if "--must-find" in sys.argv:
        return 0 if found else 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
