#!/usr/bin/env python3
"""The man pages say what the programs say.

usage: man.py SOURCE_DIR TREATY TREATYD

Every option of `treaty COMMAND --help` stands in treaty(1), every path of the
HTTP door in treatyd(8), every setting of `treatyd --print-config` in
treaty.conf(5), every function of <treaty/treaty.h>, every header and every
error code in libtreaty(3), with the sample as it is; and nothing stands there
that does not exist.
"""

import os
import re
import subprocess
import sys

source, treaty, treatyd = sys.argv[1:]
wrong = []


def page(name):
    with open(os.path.join(source, "docs/man", name), encoding="ascii") as f:
        return f.read()


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"]}, timeout=20)
    if done.returncode != 0:
        wrong.append("%s: exit %d" % (" ".join(argv), done.returncode))
    return done.stdout


def compare(what, here, there):
    for name in sorted(here - there):
        wrong.append("%s: %s is not in the man page" % (what, name))
    for name in sorted(there - here):
        wrong.append("%s: the man page has %s, which is not there" %
                     (what, name))


# A page of the manual that groff cannot read is found by eye; what it says is
# found here.
manual = page("treaty.1")
options = set(re.findall(r"--([a-z][a-z-]+)", run(treaty, "--help")))
for command in ("tx list", "tx show", "tx retry", "tx resolve", "saga list",
                "saga show", "saga start", "saga forward", "saga compensate",
                "saga skip", "machine list", "machine show", "machine put",
                "machine drop", "message list", "message show", "message dead",
                "message replay", "topic list", "topic subscribe",
                "topic unsubscribe", "status", "ping", "completion"):
    options |= set(re.findall(r"(?<!\w)--([a-z][a-z-]+)",
                              run(treaty, *command.split(), "--help")))
listed = set(re.findall(r"^\.It.*?Fl -([a-z][a-z-]+)", manual, re.M))
compare("treaty", options, listed)

with open(os.path.join(source, "tc/door/http_routes.c"), encoding="utf-8") as f:
    routes = f.read()
METHODS = "GET|POST|DELETE"
short = dict(re.findall(r'#define (\w+) +"(.*)"', routes))
paths = set()
for method, path in re.findall(r'\{ "(%s)", (.*?),\s+(?:true|false),' % METHODS,
                               routes):
    for name, text in short.items():
        path = re.sub(r"\b%s\b" % name, '"%s"' % text, path)
    paths.add(method + " " + re.sub(r'" "|"', "", path))
shown = set()
for method, path in re.findall(r"^\.It Cm (%s) (.*)$" % METHODS,
                               page("treatyd.8"), re.M):
    path = re.sub(r"Ar \w+", "{}", path)
    shown.add(method + " " + re.sub(r" ?(Ns|Pa) ?", "", path))
compare("http", paths, shown)

settings = set(re.findall(r"^[#; ]*([a-z][a-z0-9_]*) = ",
                          run(treatyd, "--print-config"), re.M))
compare("treaty.conf", settings,
        set(re.findall(r"^\.It Va (\w+)", page("treaty.conf.5"), re.M)))

# libtreaty(3) is an overview of <treaty/treaty.h>; its example is the sample.
library = page("libtreaty.3")
public = os.path.join(source, "rm-agent/include/treaty")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


header = read(os.path.join(public, "treaty.h"))
declared = "".join(re.findall(r"^TREATY_API [^;]*;", header, re.M | re.S))
compare("libtreaty", set(re.findall(r"\b(treaty_\w+)\(", declared)),
        set(re.findall(r"^\.Fn (\w+)", library, re.M)))
compare("libtreaty", set(re.findall(r"\bTREATY_E_\w+(?= = )", header)),
        set(re.findall(r"^\.It Bq Dv (\w+)", library, re.M)))
compare("libtreaty", set(os.listdir(public)),
        set(re.findall(r"^\.It In treaty/(\S+)", library, re.M)))
shown = re.search(r"^\.Bd -literal\n(.*?)^\.Ed$", library, re.M | re.S)
if shown is None or re.sub(r"\\&", "", shown[1]).replace("\\e", "\\") != \
        read(os.path.join(source, "samples/minimal/transfer.c")):
    wrong.append("libtreaty: the example is not samples/minimal/transfer.c")

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
