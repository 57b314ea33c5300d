#!/usr/bin/env python3
"""The man pages say what the programs say.

usage: man.py SOURCE_DIR TREATY TREATYD

Every option of `treaty COMMAND --help` stands in treaty(1), every path of the
HTTP door in treatyd(8), every setting of `treatyd --print-config` in
treaty.conf(5), and nothing stands there that does not exist.
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

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
