#!/usr/bin/env python3
"""docs/faults.md names only tests that exist, and all 32 faults.

    faults.py ROOT
"""
import os
import re
import sys

FAULTS = 32


def missing_tests(root, text):
    for folder, file, name in re.findall(r"`(\w+)/(\w+): (test_\w+)`", text):
        path = os.path.join(root, "tests", folder, file + "_test.c")
        if not os.path.exists(path):
            yield f"{folder}/{file}: there is no such file"
            continue
        with open(path, encoding="utf-8") as source:
            if not re.search(rf"static void {name}\(", source.read()):
                yield f"{folder}/{file}: {name} is not there"


def missing_faults(text):
    """A fault has a row, and that names a test or says that it is open."""
    rows = dict(re.findall(r"^\| (\d+) (\|.*)$", text, re.M))
    for n in range(1, FAULTS + 1):
        row = rows.get(str(n), "")
        if ": test_" not in row and "**Open:**" not in row:
            yield f"fault {n} has neither a test nor the word open"


def main(root):
    with open(os.path.join(root, "docs/faults.md"), encoding="utf-8") as doc:
        text = doc.read()
    breaches = [*missing_tests(root, text), *missing_faults(text)]
    for breach in breaches:
        print("docs/faults.md:", breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
