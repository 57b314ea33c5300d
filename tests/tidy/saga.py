#!/usr/bin/env python3
"""docs/saga.md names every member and state that the readers know.

usage: saga.py SOURCE_DIR
"""
import os
import re
import sys

SOURCES = ["tc/saga/read_graph.c", "tc/saga/read_machine.c"]


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def known(text):
    """The texts of every list of keys, and the types of states."""
    for part in re.findall(r"\bkeys\[\] = \{(.*?)\};|_keys\[\] = \{(.*?)\};"
                           r"|\} types\[\] = \{(.*?)\n\};", text, re.S):
        yield from re.findall(r'"([^"]+)"', "".join(part))


def main(root):
    page = read(root, "docs/saga.md")
    said = set(re.findall(r"`([A-Za-z_]+)`", page))
    keys = {key for path in SOURCES for key in known(read(root, path))}
    missing = sorted(keys - said)
    if len(keys) < 50:
        print("saga.py: only", len(keys), "members were found in", SOURCES)
        return 1
    for key in missing:
        print("docs/saga.md: does not name", key)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
