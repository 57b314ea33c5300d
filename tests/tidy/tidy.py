#!/usr/bin/env python3
"""The house style as a test: tidy.py SOURCE BUILD CC.

Formatting, the include arrow, purity of the pure folders, banned functions,
function length, headers that stand alone, file names. Prints each breach as
file:line: what, and exits 1 if there is one.
"""
import os
import re
import subprocess
import sys

# Who may include from where. A longer folder name wins over a shorter one.
ARROW = {
    "base": ["base"],
    "wire": ["wire", "base"],
    "sqlparse": ["sqlparse", "base"],
    "undo": ["undo", "base"],
    "rm-agent/session": ["rm-agent/session", "wire", "base"],
    "rm-agent": ["rm-agent", "treaty", "sqlparse", "undo", "wire", "base"],
    "rm-agent/include": ["treaty"],
    "tc/saga": ["tc/saga", "base"],
    "tc/auth": ["tc/auth", "base"],
    "tc/core": ["tc/core", "tc/saga", "base"],
    "tc/store": ["tc/store", "tc/core", "base"],
    # the HTTP door shows what the store's archive keeps
    "tc/door": ["tc/door", "tc/store/store.h", "tc/core",
                "tc/console/console.h", "wire", "base"],
    "tc/console": ["tc/console", "base"],
    "tc/host": ["tc", "base"],
    "tc/cli": ["tc/cli", "base"],
    "samples": ["samples", "treaty"],
}

# Headers of the world that a pure folder may not even see.
IMPURE_HEADERS = {
    "unistd.h", "stdio.h", "stdlib.h", "time.h", "pthread.h", "fcntl.h",
    "errno.h", "signal.h", "threads.h", "stdatomic.h",
}
PURE = {  # folder: (library, further symbols that it may want)
    "tc/core": ("tc/core/libtc_core.a", r"saga_\w+"),
    "tc/saga": ("tc/saga/libtc_saga.a", r"$^"),
    "tc/auth": ("tc/auth/libtc_auth.a",
                r"sodium_\w+|randombytes_buf|crypto_(generichash|auth)\w*"),
    "wire": ("wire/libwire.a", r"$^"),
    "sqlparse": ("sqlparse/libsqlparse.a", r"$^"),
    "undo": ("undo/libundo.a",
             r"cJSON_\w+|ZSTD_\w+|sodium_(bin2base64|base642bin|base64_\w+)"),
    "rm-agent/session": ("rm-agent/librm_agent.a", r"msg_(encode|decode|level)"),
}
PURE_SYMBOLS = (r"mem(cpy|cmp|set|move|chr|mem)|str(len|cmp|ncmp|chr|rchr|nlen|spn|cspn)"
                r"|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__mem\w+_chk")

BANNED = {
    r"strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|gets|ctime"
    r"|asctime|gmtime|localtime|atoi|atol|atoll|atof": [],
    r"malloc|calloc|realloc|strdup|strndup|asprintf|free":
        ["base/base.c", "tests/", "samples/"],
    r"rand|srand|random|drand48": [],
    r"time|usleep|sleep": ["tests/"],
    r"getenv": ["tc/host/", "tc/cli/", "tests/", "samples/"],
    r"system|popen": ["tests/"],
}
NAME = re.compile(r"^[a-z0-9_]+\.[ch]$")
LIMIT = 70


def sources(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co",
                          "--exclude-standard", "*.c", "*.h"],
                         check=True, capture_output=True, text=True).stdout
    return [f for f in out.split() if os.path.exists(os.path.join(root, f))]


def folder_of(path, table):
    fits = [f for f in table if path.startswith(f + "/")]
    return max(fits, key=len) if fits else None


def strip(text):
    """The text without comments, strings and characters; lines kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, text, flags=re.S)


def check_includes(path, text):
    allowed = ARROW.get(folder_of(path, ARROW) or "", None)
    pure = folder_of(path, PURE)
    for i, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not m:
            continue
        kind, name = m.groups()
        ours = kind == '"' or name.startswith("treaty/")
        if ours and kind == '"' and "/" not in name:
            yield i, f'include "{name}" by its path from the root'
        elif ours and allowed is not None and not any(
                name == a or name.startswith(a + "/") for a in allowed):
            yield i, f"{name} is against the arrow"
        if not ours and pure and name in IMPURE_HEADERS:
            yield i, f"<{name}> in a pure folder"


def check_banned(path, text):
    for names, where in BANNED.items():
        if any(path == w or (w.endswith("/") and path.startswith(w))
               for w in where):
            continue
        for m in re.finditer(rf"(?<![\w.>])({names})\s*\(", text):
            line = text.count("\n", 0, m.start()) + 1
            yield line, f"{m.group(1)}() is banned here"


def check_length(path, text):
    if path.startswith("tests/"):
        return
    start = None
    for i, line in enumerate(text.split("\n"), 1):
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start:
            if i - start - 1 > LIMIT:
                yield start, f"function of {i - start - 1} lines; {LIMIT} at most"
            start = None


def check_text(path, text):
    if not NAME.match(os.path.basename(path)):
        yield 1, "file names are lower-case words joined by _"
    if path.endswith(".h") and "#ifndef" not in text:
        yield 1, "header without a guard"
    for i, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield i, "unfinished by its own words"


def check_format(root, files):
    for at in range(0, len(files), 50):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror"]
                             + files[at:at + 50], cwd=root,
                             capture_output=True, text=True)
        for m in re.finditer(r"^(\S+?):(\d+):\d+: error: (.*)$", run.stderr,
                             re.M):
            yield m.group(1), int(m.group(2)), m.group(3)
        if run.returncode and not run.stderr:
            yield "clang-format", 0, "failed"


def check_alone(root, cc, headers):
    for header in headers:
        run = subprocess.run([cc, "-std=c11", "-Wall", "-Wextra", "-Wpedantic",
                              "-Werror", "-D_GNU_SOURCE", "-I.",
                              "-Irm-agent/include", "-I/usr/include/postgresql",
                              "-I/usr/include/mariadb",
                              "-I/usr/include/cjson", "-fsyntax-only", "-x",
                              "c", "-"],
                             input=f'#include "{header}"\n', text=True,
                             cwd=root, capture_output=True)
        if run.returncode:
            first = run.stderr.split("\n")[0]
            yield header, 1, f"does not stand alone: {first}"


def symbols(archive, undefined, member=None):
    out = subprocess.run(["nm", "-A", archive], check=True,
                         capture_output=True, text=True).stdout
    for line in out.split("\n"):
        m = re.match(r"^[^:]+:([^:]+):\s*(?:[0-9a-f]+)?\s+(\w) (\S+)$", line)
        if not m or (member and not member(m.group(1))):
            continue
        if undefined == (m.group(2) in "Uw"):
            yield m.group(1), m.group(3)


def check_pure(root, build):
    base = os.path.join(build, "base/libbase.a")
    ground = {s for m, s in symbols(base, False) if not m.startswith("log.")}
    for folder, (library, further) in PURE.items():
        archive = os.path.join(build, library)
        here = os.path.join(root, folder)
        if not os.path.isdir(here) or not any(
                f.endswith(".c") for f in os.listdir(here)):
            continue
        if not os.path.exists(archive):
            yield folder, 0, f"{library} is not built"
            continue
        mine = {f + ".o" for f in os.listdir(os.path.join(root, folder))}
        own = {s for _, s in symbols(archive, False, lambda m: m in mine)}
        for obj, s in sorted(set(symbols(archive, True, lambda m: m in mine))):
            if s in own or s in ground:
                continue
            if re.fullmatch(PURE_SYMBOLS, s) or re.fullmatch(further, s):
                continue
            yield f"{folder}/{obj[:-2]}", 0, f"not pure: wants {s}"


def main(root, build, cc):
    files = sources(root)
    breaches = []
    for path in files:
        with open(os.path.join(root, path), errors="replace") as f:
            raw = f.read()
        bare = strip(raw)
        for check, text in ((check_includes, raw), (check_banned, bare),
                            (check_length, bare), (check_text, raw)):
            breaches += [(path, i, what) for i, what in check(path, text)]
    breaches += check_format(root, files)
    breaches += check_alone(root, cc, [f for f in files if f.endswith(".h")])
    breaches += check_pure(root, build)
    for path, line, what in sorted(breaches):
        print(f"{path}:{line}: {what}")
    print(f"{len(files)} files, {len(breaches)} breaches")
    return 1 if breaches or not files else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
