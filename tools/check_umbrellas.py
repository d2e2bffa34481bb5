#!/usr/bin/env python3
"""Holds the headers that list others (belfry/layers.h lists belfry/layers/) to the files that are there.

usage: tools/check_umbrellas.py [--write] [ROOT]

The list of a folder includes each of its public headers, or names it in a comment "Left out, WHY: NAMES.";
belfry/belfry.h includes the lists. Prints one line for each breach and exits with 1 if there is any. --write brings the
includes of the lists up to date instead, and leaves their comments as they are.
"""
import pathlib
import re
import sys

# Lists of other libraries, which belfry.h does not include.
OF_OTHER_LIBRARIES = {"data"}
# One by one: bytes and structs of many formats, of which a program wants one; not installed; and no part of the library.
WITHOUT_LIST = {"formats", "program", "cli"}
INCLUDE = re.compile(r'^#include "(belfry/[^"]+)"\n', re.MULTILINE)
LEFT_OUT = re.compile(r"^// Left out[^:]*:((?:.*\n//)*.*\n)", re.MULTILINE)


def lists(sources):
    """The folders of belfry/ that have a list, belfry/NAME.h."""
    return sorted({entry.name for entry in sources.iterdir() if entry.is_dir()} - WITHOUT_LIST)


def headers_for(name, sources):
    """The public headers that a list answers for, as an #include spells them."""
    headers = (file for file in (sources / name).rglob("*.h") if "internal" not in file.parts)
    return sorted(file.relative_to(sources.parent).as_posix() for file in headers)


def left_out(text, name):
    """What the comments of a list leave out, by the names from its folder on."""
    names = (match for comment in LEFT_OUT.findall(text) for match in re.findall(r"[\w/]+\.h\b", comment))
    return {f"belfry/{name}/{header}" for header in names}


def wanted(sources):
    """The name of each list -> the includes that it should have, in order."""
    all_lists = {}
    for name in lists(sources):
        headers = headers_for(name, sources)
        if headers:
            path = sources / f"{name}.h"
            left = left_out(path.read_text(encoding="utf-8"), name) if path.exists() else set()
            all_lists[name] = [header for header in headers if header not in left]
    all_lists["belfry"] = [f"belfry/{name}.h" for name in all_lists if name not in OF_OTHER_LIBRARIES]
    return all_lists


def breaches(sources):
    for name, headers in wanted(sources).items():
        path = sources / f"{name}.h"
        if not path.exists():
            yield f"belfry/{name}.h: there is no such file"
            continue
        text = path.read_text(encoding="utf-8")
        there = INCLUDE.findall(text)
        for header in sorted(set(headers) - set(there)):
            yield f'belfry/{name}.h: lacks #include "{header}"'
        for header in sorted(set(there) - set(headers)):
            yield f'belfry/{name}.h: #include "{header}" is not its to list, or left out'
        if name != "belfry":
            for header in sorted(left_out(text, name) - set(headers_for(name, sources))):
                yield f"belfry/{name}.h: leaves out {header}, which does not exist"


def write(sources):
    """Replaces the includes of each list; one that does not exist is made."""
    for name, headers in wanted(sources).items():
        path = sources / f"{name}.h"
        text = path.read_text(encoding="utf-8") if path.exists() else "#pragma once\n"
        block = "".join(f'#include "{header}"\n' for header in headers)
        first = INCLUDE.search(text)
        if first:
            rest = INCLUDE.sub("", text[first.start() :])
            text = text[: first.start()] + block + rest
        else:
            text += "\n" + block
        path.write_text(text, encoding="utf-8")


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).parent.parent
    sources = root / "belfry"
    if "--write" in sys.argv:
        write(sources)
    found = list(breaches(sources))
    print("\n".join(found) or "check_umbrellas: passed")
    if found:
        print("check_umbrellas: tools/check_umbrellas.py --write brings the lists up to date")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
