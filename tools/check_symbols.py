#!/usr/bin/env python3
"""Holds compiled objects to what they may call: those of folders that know no LibTorch need none of its symbols.

usage: tools/check_symbols.py NM OBJECT...

NM is the program nm. Prints one line for each breach and exits with 1 if there is any. Includes are held by
check_layers.py; this finds what is declared without one.
"""
import pathlib
import re
import subprocess
import sys

TORCH = re.compile(r"\b(at|c10|caffe2|torch)::")
UNDEFINED = re.compile(r"^\s+[Uuvw] (.+)$")


def breaches(listing):
    """The symbols of LibTorch among the undefined ones in what `nm --demangle` prints."""
    symbols = (match[1] for match in map(UNDEFINED.match, listing.splitlines()) if match)
    return [symbol for symbol in symbols if TORCH.search(symbol)]


def main():
    nm, *objects = sys.argv[1:]
    failed = False
    if not objects:
        raise SystemExit("check_symbols: expected object files, got none")
    for name in objects:
        listing = subprocess.run([nm, "--demangle", name], check=True, capture_output=True, text=True).stdout
        for symbol in breaches(listing):
            failed = True
            print(f"{pathlib.Path(name).name}: {symbol}: knows no LibTorch")
    if not failed:
        print(f"check_symbols: passed ({len(objects)} objects)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
