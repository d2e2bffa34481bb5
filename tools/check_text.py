#!/usr/bin/env python3
"""Checks the text of all tracked files: nothing of one machine in them, no stray white space. Inputs of the fuzz
targets are bytes, not text.

usage: tools/check_text.py [ROOT]

Prints one line for each finding and exits with 1 if there is any.
"""
import pathlib
import re
import subprocess
import sys

NOT_TEXT = "tests/fuzz/corpus/"
RULES = [
    (re.compile(r"(?<![\w.}/~<-])/(?:work|tmp|root|home/\w+|Users/\w+)(?:/|\b)(?!\w)"), "path of one machine"),
    (re.compile(r"\bhttps?://(?!localhost\b|127\.0\.0\.1)(?:[\w-]+(?=[:/\s\"')]|$)|\d+\.\d+\.\d+\.\d+|"
                r"[\w.-]+\.(?:internal|local|lan|corp|intranet)\b)"), "host that only one network knows"),
    (re.compile(r"^(?:<{7}|>{7}|={7})(?: |$)"), "merge conflict"),
    (re.compile(r"\r"), "carriage return"),
    (re.compile(r"[ \t]+$"), "trailing white space"),
]


def findings(text):
    """(line number, what is wrong) of each finding in one file's text."""
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in RULES:
            if pattern.search(line):
                yield number, what
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"
    if text.endswith("\n\n"):
        yield text.count("\n"), "empty line at the end"


def text_of(file):
    """The file's text, or None if it is binary or a link."""
    if file.is_symlink() or not file.is_file():
        return None
    data = file.read_bytes()
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    lines = []
    for name in filter(None, names.split("\0")):
        if name.startswith(NOT_TEXT):
            continue
        text = text_of(root / name)
        lines += [f"{name}:{number}: {what}" for number, what in findings(text or "")]
    print("\n".join(lines) or "check_text: passed")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
