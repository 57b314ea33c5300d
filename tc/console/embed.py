#!/usr/bin/env python3
"""The console's built files as C: embed.py DIST OUT.c

DIST is what vite wrote (index.html and assets/); without one, the table is
empty. Times and order of files don't matter: the same files give the same C.
"""
import gzip
import hashlib
import os
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


def found(dist):
    """[(path in the URL, content)], the page first."""
    files = []
    for folder, _, names in os.walk(dist):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                url = "/" + os.path.relpath(path, dist).replace(os.sep, "/")
                files.append((url, f.read()))
    files.sort()
    page = [f for f in files if f[0] == "/index.html"]
    if len(page) != 1:
        sys.exit("embed.py: %s has no index.html" % dist)
    return [("/", page[0][1])] + [f for f in files if f != page[0]]


def array(name, content):
    """A static array; bytes in decimal are the shortest for a compiler."""
    numbers = ["%d," % byte for byte in content]
    lines = ["\t" + "".join(numbers[at:at + 20])
             for at in range(0, len(numbers), 20)]
    return "static const uint8_t %s[] = {\n%s\n};\n" % (name, "\n".join(lines))


def entry(i, url, content, packed):
    kind = TYPES.get(os.path.splitext(url)[1] or ".html")
    if not kind:
        sys.exit("embed.py: %s: no content type is known for it" % url)
    mark = hashlib.sha256(content).hexdigest()[:24]
    return ('\t{ "%s", "%s", "\\"%s\\"", "\\"%s-gz\\"", %s,\n'
            '\t  { plain_%d, %d }, %s },\n' % (
                url, kind, mark, mark,
                "true" if url.startswith("/assets/") else "false",
                i, len(content),
                "{ gzip_%d, %d }" % (i, len(packed)) if packed
                else "{ NULL, 0 }"))


def main(dist, out):
    arrays, entries = [], []
    for i, (url, content) in enumerate(found(dist) if dist else []):
        packed = gzip.compress(content, 9, mtime=0)
        if len(packed) > len(content) * 9 // 10:
            packed = b""
        arrays.append(array("plain_%d" % i, content))
        if packed:
            arrays.append(array("gzip_%d" % i, packed))
        entries.append(entry(i, url, content, packed))
    n = len(entries)
    text = "/* Made by embed.py. */\n#include \"tc/console/console.h\"\n\n"
    text += "\n".join(arrays)
    if n:
        text += "\nstatic const struct console_file files[] = {\n%s};\n" % \
            "".join(entries)
    text += "\nconst struct console_file *console_files(size_t *n)\n{\n"
    text += "\t*n = %d;\n\treturn %s;\n}\n" % (n, "files" if n else "NULL")
    with open(out + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 3 else None, sys.argv[-1])
