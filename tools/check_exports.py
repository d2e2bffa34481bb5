#!/usr/bin/env python3
"""Holds what the libraries export to the public headers.

usage: tools/check_exports.py ROOT LIBRARY...

A function or class of namespace belfry that a library exports must stand in a public header under ROOT, by all parts of its
name; what does not is private, and cmake/hidden_symbols.map or a namespace `internal` hides it. Prints one line for each
that does not and exits with 1 if there is any.
"""
import pathlib
import re
import subprocess
import sys

SUBJECT = re.compile(r"^(?:vtable|VTT|typeinfo name|typeinfo|guard variable|(?:non-)?virtual thunk) (?:for|to) ")
OPERATOR = re.compile(r"operator\b")


def qualified_name(symbol):
    """The parts of the name of a demangled symbol: ["belfry", "Session", "run"]; no types, no template arguments."""
    text = SUBJECT.sub("", symbol).replace("[abi:cxx11]", "").replace("(anonymous namespace)", "{anonymous}")
    name, depth = "", 0
    for at, letter in enumerate(text):
        if depth == 0 and (letter == "(" or name.endswith("::") and OPERATOR.match(text, at)):
            break
        depth += (letter == "<") - (letter == ">")
        if depth == 0 and letter != ">":
            name += letter
    return [part for part in name.strip().split(" ")[-1].split("::") if part]


def words_of_headers(root):
    """The words of each public header, without its comments."""
    for header in sorted((root / "belfry").rglob("*.h")):
        if not {"internal", "cli"} & set(header.relative_to(root).parts):
            text = re.sub(r"//.*|/\*.*?\*/", "", header.read_text(encoding="utf-8"))
            yield set(re.findall(r"\w+", text))


def strangers(symbols, headers):
    """Those of the demangled symbols that are belfry's and stand in none of the headers, each by its name, once."""
    headers = list(headers)
    found = set()
    for symbol in symbols:
        name = qualified_name(symbol)
        if name[0] != "belfry":
            continue
        parts = {part.lstrip("~") for part in name[1:]}
        if "internal" in parts or not any(parts <= words for words in headers):
            found.add("::".join(name))
    return sorted(found)


def exported(library):
    """The demangled names of what a library defines and exports."""
    lines = subprocess.run(["nm", "-D", "--defined-only", "-C", library], check=True, capture_output=True, text=True).stdout
    return [line.split(" ", 2)[2] for line in lines.splitlines()]


def main():
    root, libraries = pathlib.Path(sys.argv[1]), sys.argv[2:]
    headers = list(words_of_headers(root))
    failed = False
    for library in libraries:
        symbols = exported(library)
        if not any(qualified_name(symbol)[0] == "belfry" for symbol in symbols):
            raise SystemExit(f"check_exports: {library} exports nothing of belfry")
        for name in strangers(symbols, headers):
            print(f"{pathlib.Path(library).name}: exports {name}, which stands in no public header")
            failed = True
        print(f"{pathlib.Path(library).name}: {len(symbols)} symbols")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
