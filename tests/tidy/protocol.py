#!/usr/bin/env python3
"""The tables of docs/protocol.md say what the code says.

usage: protocol.py SOURCE_DIR

Tags and kinds are those of wire/msg.c, message types those of wire/msg.h,
error codes those of base/base.h, statuses and modes those of base/status.h.
"""
import os
import re
import sys

source = sys.argv[1]
wrong = []


def read(path):
    with open(os.path.join(source, path), encoding="utf-8") as f:
        return f.read()


def table(heading):
    """{number: name} of the first two columns below a heading."""
    part = docs.split("\n" + heading + "\n")[1].split("\n#")[0]
    return {int(n): name.strip("` ")
            for n, name in re.findall(r"^\| *(\d+) *\|([^|]*)\|", part, re.M)}


def compare(what, code, said):
    for n in sorted(set(code) | set(said)):
        if code.get(n) != said.get(n):
            wrong.append("%s %d: the code says %s, docs/protocol.md %s" %
                         (what, n, code.get(n), said.get(n)))


def enum(text, prefix):
    return {int(n): name.lower() for name, n in
            re.findall(r"^\t%s_(\w+) = (\d+)," % prefix, text, re.M)}


docs = read("docs/protocol.md")
msg_c, status_h = read("wire/msg.c"), read("base/status.h")

fields = {int(t): "%s, %s" % (name, kind.lower()) for t, kind, name in
          re.findall(r"\{ (\d+), KIND_(\w+), offsetof\(struct msg, (\w+)\)",
                     msg_c)}
fields[int(re.search(r"#define TAG_LIST (\d+)", msg_c).group(1))] = \
    "list, bytes"
compare("tag", fields, table("### Tags"))
compare("type", enum(read("wire/msg.h"), "MSG"), table("### Types"))
compare("error", {int(n): name.lower() for name, n in
                  re.findall(r"^\tE_(\w+) = -(\d+),", read("base/base.h"),
                             re.M)}, table("## Errors"))
compare("transaction status", enum(status_h, "GTX"),
        table("### Of a transaction"))
compare("branch status", enum(status_h, "BRANCH"), table("### Of a branch"))
compare("mode", enum(status_h, "MODE"), table("### Modes"))
compare("level", enum(read("wire/msg.h"), "LEVEL"), table("### Levels"))

if len(fields) < 20:
    wrong.append("the tags of wire/msg.c were not found")
for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
