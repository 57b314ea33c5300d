#!/usr/bin/env python3
"""docs/http.md is true: its commands do what it prints.

usage: http_docs.py SOURCE_DIR TREATYD

Starts a treatyd and the page's participants, runs every line behind "$ " of
the page's console blocks in one shell, and compares what comes out. Numbers of
transactions and ports differ from run to run and are made the same first.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

source, treatyd = sys.argv[1:]
HTTP, PARTICIPANTS, COORDINATOR = "7091", "8081", "127.0.0.1:7090"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return str(s.getsockname()[1])


def wait_for(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("nobody listens on port " + port)


def page():
    with open(os.path.join(source, "docs/http.md"), encoding="utf-8") as f:
        text = f.read()
    python = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    return python, re.findall(r"```console\n(.*?)```", text, re.S)


def commands(blocks):
    """[(command, what it prints)]"""
    out = []
    for block in blocks:
        for line in block.splitlines():
            if line.startswith("$ "):
                out.append([line[2:], []])
            elif line.startswith(">") and not out[-1][1]:
                out[-1][0] += "\n" + line[2:]
            else:
                out[-1][1].append(line)
    return [(command, "\n".join(said)) for command, said in out]


def same(text):
    """Without what differs from run to run."""
    text = re.sub(r"(127\.0\.0\.1:7090:)\d+", r"\1N", text)
    text = re.sub(r'(?<=["\[])\d{6,}(?=")', "N", text)
    return text.strip()


def run(script, ports):
    for ours, theirs in ports.items():
        script = script.replace("127.0.0.1:" + ours, "127.0.0.1:" + theirs)
    done = subprocess.run(["bash", "-c", script], capture_output=True,
                          text=True, check=False, timeout=200)
    out = done.stdout
    for ours, theirs in ports.items():
        out = out.replace("127.0.0.1:" + theirs, "127.0.0.1:" + ours)
    if done.stderr:
        out += "\nerrors:\n" + done.stderr
    return out


def compare(steps, out):
    parts = re.split(r"<<<\d+>>>\n", out)[1:]
    wrong = 0
    for (command, said), really in zip(steps, parts):
        if same(said) != same(really):
            wrong += 1
            print("$ %s\ndocs/http.md says:\n%s\nbut it is:\n%s\n" %
                  (command, same(said), same(really)))
    if len(parts) != len(steps):
        wrong += 1
        print("%d commands, %d were run:\n%s" % (len(steps), len(parts), out))
    return wrong


def main():
    python, blocks = page()
    steps = commands(blocks)
    if len(steps) < 30:
        sys.exit("docs/http.md has only %d commands" % len(steps))
    script = "".join("echo '<<<%d>>>'\n%s\n" % (i, step[0])
                     for i, step in enumerate(steps))
    ports = {HTTP: free_port(), PARTICIPANTS: free_port()}
    with tempfile.TemporaryDirectory(prefix="treaty-http-docs-") as folder:
        with open(folder + "/participants.py", "w", encoding="utf-8") as f:
            f.write(python)
        started = []
        try:
            started.append(subprocess.Popen(
                [sys.executable, folder + "/participants.py",
                 ports[PARTICIPANTS]]))
            started.append(subprocess.Popen(
                [treatyd, "--data-dir", folder + "/data", "--coordinator",
                 COORDINATOR, "--agents-listen", "tcp://127.0.0.1:0",
                 "--http-listen", "127.0.0.1:" + ports[HTTP],
                 "--http-targets",
                 "http://127.0.0.1:%s/" % ports[PARTICIPANTS],
                 "--log-level", "error"]))
            for port in ports.values():
                wait_for(port)
            wrong = compare(steps, run(script, ports))
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGTERM)
                process.wait(20)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
