#!/usr/bin/env python3
"""README.md and README.zh-CN.md say the same, and what they point to is there.

usage: readme.py SOURCE_DIR

Both have the same sections in number and depth, the same code blocks (but for
comments behind a command), the same tables and the same links to files, and
link to each other.
"""

import os
import re
import sys

source = sys.argv[1]
PAGES = ("README.md", "README.zh-CN.md")
wrong = []


def read(name):
    with open(os.path.join(source, name), encoding="utf-8") as f:
        return f.read()


def commands(text):
    return [re.sub(r"\s+#.*", "", line)
            for line in re.findall(r"^    \$ (.*)$", text, re.M)]


def fenced(text):
    return re.findall(r"^```.*?^```", text, re.S | re.M)


def prose(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def links(text):
    found = re.findall(r"\]\(([^)]+)\)", prose(text))
    return sorted(link for link in found
                  if link not in PAGES and "://" not in link)


def shape(text):
    """Headings by depth, and each table by its rows' columns."""
    return [re.match(r"#+", line)[0] if line[0] == "#" else line.count("|")
            for line in prose(text).split("\n") if line[:1] in ("#", "|")]


def files(text):
    return sorted(set(re.findall(r"`((?:samples|docs|tc|rm-agent|tests)/[^` ]*)`",
                                 text)))


english, chinese = (read(name) for name in PAGES)
for what, of in (("sections and tables", shape), ("commands", commands),
                 ("code blocks", fenced), ("links", links), ("files", files)):
    if of(english) != of(chinese):
        wrong.append("%s differ in %s:\n  %s\n  %s" %
                     (what, " and ".join(PAGES), of(english), of(chinese)))
    if not of(english):
        wrong.append("README.md has no " + what)
for page, other in ((english, PAGES[1]), (chinese, PAGES[0])):
    if "](%s)" % other not in page:
        wrong.append("nothing links to " + other)
for path in links(english) + files(english):
    if not os.path.exists(os.path.join(source, path.split("#")[0])):
        wrong.append("README.md: there is no " + path)

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
