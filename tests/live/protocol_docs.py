#!/usr/bin/env python3
"""docs/protocol.md is true: its client works, its bytes are the real ones.

usage: protocol_docs.py SOURCE_DIR TREATYD

Runs samples/other-languages/begin_commit.py against a treatyd through a tap,
compares the bytes with the worked example, and says hello over ipc.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

source, treatyd = sys.argv[1:]
# The only part of the example that differs from run to run.
INSTANCE = re.compile(rb"(?<=\x06\x00\x00\x00\x10)[0-9a-f]{16}")
wrong = []


def check(ok, text):
    if not ok:
        wrong.append(text)


def wait_for(what, look, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = look()
        if got:
            return got
        time.sleep(0.02)
    sys.exit("waited for " + what)


class Tap:
    """Passes one connection through and keeps what went by."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = {">": b"", "<": b""}
        self.thread = threading.Thread(target=self.run, args=(port,))
        self.thread.start()

    def run(self, port):
        near = self.listener.accept()[0]
        far = socket.create_connection(("127.0.0.1", port))
        there = threading.Thread(target=self.copy, args=(near, far, ">"))
        there.start()
        self.copy(far, near, "<")
        there.join()

    def copy(self, a, b, way):
        while data := a.recv(65536):
            self.seen[way] += data
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)


def example():
    """What the worked example says: {direction: bytes}."""
    with open(os.path.join(source, "docs/protocol.md"), encoding="utf-8") as f:
        text = f.read().split("## A worked example")[1].split("\n## ")[0]
    said = {">": b"", "<": b""}
    for block in re.findall(r"```hex\n(.*?)```", text, re.S):
        way = None
        for line in block.splitlines():
            way = line[0] if line[0] in said else way
            # Bytes, then two blanks and what they mean.
            said[way] += bytes.fromhex(line[1:].strip().split("  ")[0])
    return said


def addresses(folder):
    try:
        with open(folder + "/address", encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def ipc_hello(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(bytes.fromhex("0053500000300000"))
        body = bytes.fromhex("0101" + "0000000000000001" + "0500000001" + "61"
                             + "0600000001" + "62")
        s.sendall(b"\1" + (4 + len(body)).to_bytes(8, "big")
                  + b"\x80\0\0\1" + body)
        got = b""
        while len(got) < 8 + 1 + 8 + 4 + 2:
            got += s.recv(4096) or sys.exit("ipc: closed")
    check(got[:8].hex() == "0053500000310000", "ipc: hello " + got[:8].hex())
    check(got[8] == 1 and got[22] == 64, "ipc: no welcome: " + got.hex())


def run(folder):
    port = int(re.search(r"agents tcp://127\.0\.0\.1:(\d+)",
                         addresses(folder)).group(1))
    http = re.search(r"http (\S+)", addresses(folder)).group(1)
    tap = Tap(port)
    client = subprocess.run(
        [os.path.join(source, "samples/other-languages/begin_commit.py"),
         "127.0.0.1", str(tap.port)], capture_output=True, text=True,
        check=False, timeout=30)
    tap.thread.join()
    check(client.returncode == 0, client.stderr)
    check(client.stdout == "began 127.0.0.1:7090:1\nphase two: commit\n"
          "status 9\n", "the client says: " + client.stdout)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = "http://%s/api/v1/transactions/127.0.0.1:7090:1" % http

    def archived():
        return json.load(opener.open(url, timeout=5))["status"] == "Committed"
    wait_for("the archive to know the transaction", archived)
    for way, said in example().items():
        real = tap.seen[way]
        check(INSTANCE.sub(b"", said) == INSTANCE.sub(b"", real),
              "the worked example differs, %s:\n docs %s\n real %s" %
              (way, said.hex(), real.hex()))
    ipc_hello(folder + "/agents")


def main():
    with tempfile.TemporaryDirectory(prefix="treaty-docs-") as folder:
        process = subprocess.Popen(
            [treatyd, "--data-dir", folder, "--http-listen", "127.0.0.1:0",
             "--coordinator", "127.0.0.1:7090", "--first-id", "1", "--agents-listen",
             "tcp://127.0.0.1:0 ipc://%s/agents" % folder])
        try:
            wait_for("treatyd", lambda: addresses(folder))
            run(folder)
        finally:
            process.terminate()
            process.wait(20)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
