#!/usr/bin/env python3
"""Writes the C++ samples of a Markdown page as one source file, so that the build compiles them.

usage: tools/extract_samples.py PAGE.md OUTPUT.cpp

Every ```cpp block of the page is compiled (use ```text for what is not code). How, is said by a comment, invisible to
readers, on the line before the block; words can be combined with commas:

    <!-- sample: body -->         the block is statements: the body of a function
    <!-- sample: continues -->    it sees what the blocks before it declared, up to the last one without this word
    <!-- sample: hidden           code up to the --> is compiled before the next block and not shown; for what a
    at::Tensor image;             sample takes for granted
    -->

A block without a word is a piece of a file, or a whole one: declarations, functions, main. Each chain of blocks that
continue each other has a namespace of its own with `using namespace belfry`; its declarations come first, then all its
statements as one function. #include lines move to the top of the file; a page without any gets belfry/belfry.h.
"""
import pathlib
import re
import sys
from dataclasses import dataclass, field

MARK = re.compile(r"^<!-- sample: ([a-z, ]+) -->$")
WORDS = {"body", "continues"}


@dataclass
class Chain:
    """Blocks that see each other."""

    declarations: list = field(default_factory=list)
    statements: list = field(default_factory=list)


def read_blocks(page):
    """(words, first line number, lines) of each block of the page; a hidden block has the word "hidden"."""
    lines = iter(enumerate(page.splitlines(), 1))
    words = set()

    def until(end):
        block = []
        for number, line in lines:
            if line.strip() == end:
                return block
            block.append(line)
        raise ValueError(f"line {number}: the block that began last has no {end}")

    for number, line in lines:
        mark = MARK.match(line.strip())
        if mark:
            words = set(mark[1].split(", "))
            if words - WORDS:
                raise ValueError(f"line {number}: unknown word in a sample comment: {', '.join(words - WORDS)}")
        elif line.strip() == "<!-- sample: hidden":
            yield {"hidden"}, number + 1, until("-->")
        elif line.strip() == "```cpp":
            yield words, number + 1, until("```")
            words = set()
        elif line.startswith("```"):
            until("```")
        elif line.strip() and words:
            raise ValueError(f"line {number}: a sample comment stands right before its ```cpp block")


def extract(page, name):
    """The source text for a page, or "" if it has no sample. `name` is what compiler messages call the page."""
    includes, chains, hidden = [], [], []
    for words, first, lines in read_blocks(page):
        code = [f'#line {first} "{name}"']
        for line in lines:
            is_include = line.lstrip().startswith("#include")
            if is_include and line not in includes:
                includes.append(line)
            code.append("" if is_include else line)
        if "hidden" in words:
            hidden += code
            continue
        if "continues" not in words:
            chains.append(Chain())
        elif not chains:
            raise ValueError(f"line {first}: there is no sample before this one to continue")
        part = chains[-1].statements if "body" in words else chains[-1].declarations
        part += hidden + code
        hidden = []
    if hidden:
        raise ValueError("hidden code at the end of the page belongs to no sample")
    if not chains:
        return ""
    text = includes or ['#include "belfry/belfry.h"']
    for number, chain in enumerate(chains, 1):
        text += [f"namespace sample_{number} {{", "using namespace belfry;", *chain.declarations]
        if chain.statements:
            text += ["void body() {", *chain.statements, "}"]
        text.append("}")
    return "\n".join(text) + "\n"


def main():
    page, output = map(pathlib.Path, sys.argv[1:])
    try:
        output.write_text(extract(page.read_text(encoding="utf-8"), page.as_posix()), encoding="utf-8")
    except ValueError as error:
        raise SystemExit(f"{page}: {error}")


if __name__ == "__main__":
    main()
