#!/usr/bin/env python3
"""A message that is repeated until an answer comes is delivered once.

usage: http_repeat.py TREATYD

A service posts messages in one request each, with an Idempotency-Key, while
treatyd is killed at any moment and started again. Whatever the service hears,
it repeats until it is told that the message is there. In the end each key has
been delivered, and under one xid only (its participant tells duplicates of one
delivery by the Idempotency-Key that it is called with).
"""
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

treatyd = sys.argv[1]
SEED, KILLS, ENOUGH, SERVICES = 20261121, 15, 50, 4
got = {}  # key of a message -> the deliveries of it, as they were called
lock = threading.Lock()
over = threading.Event()
told, repeats, kills = {}, [0], [0]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Participant(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            got.setdefault(body["key"], set()).add(
                self.headers["Idempotency-Key"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass  # a connection of a treatyd that was killed


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def post(http, key, to):
    """The xid, or None: no answer, or one that says to repeat."""
    body = {"name": "repeated", "submit": True, "deliveries": [
        {"to": to, "data": {"key": key, "n": n}} for n in range(3)]}
    request = urllib.request.Request(
        "http://127.0.0.1:%d/api/v1/messages" % http, json.dumps(body).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": key})
    try:
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)["xid"]
    except urllib.error.HTTPError as error:
        if error.code in (503, 504):
            return None
        return sys.exit("%s: %d %s" % (key, error.code, error.read()))
    except (OSError, ValueError):
        return None


def service(http, name, to):
    n = 0
    while not over.is_set():
        key = "%s-%d" % (name, n)
        n += 1
        xid = post(http, key, to)
        while xid is None:
            repeats[0] += 1
            time.sleep(0.02)
            xid = post(http, key, to)
        told[key] = xid


def start(folder, http, to):
    process = subprocess.Popen(
        [treatyd, "--data-dir", folder, "--coordinator", "127.0.0.1:7090",
         "--agents-listen", "tcp://127.0.0.1:0", "--http-listen",
         "127.0.0.1:%d" % http, "--http-targets", to, "--log-level", "error"])
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", http), 1).close()
            return process
        except OSError:
            time.sleep(0.01)
    process.kill()
    return sys.exit("treatyd does not listen")


def wait_until_delivered():
    """Or until it is clear that something is missing."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with lock:
            if all(len(got.get(key, ())) == 3 for key in told):
                return
        time.sleep(0.05)


def verdict():
    wrong = ["%s: told %s, delivered as %s" % (key, xid, sorted(got.get(key, ())))
             for key, xid in told.items()
             if len(got.get(key, ())) != 3 or
             {call.split("/")[0] for call in got[key]} != {xid}]
    print("seed %d: %d messages, %d requests repeated, %d kills" %
          (SEED, len(told), repeats[0], kills[0]))
    for line in wrong:
        print(line)
    if len(told) < ENOUGH or repeats[0] < 10:
        wrong.append("too little has happened")
        print(wrong[-1])
    return 1 if wrong else 0


def main():
    rng = random.Random(SEED)
    server = Server(("127.0.0.1", 0), Participant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    to, http = "http://127.0.0.1:%d/" % server.server_address[1], free_port()
    with tempfile.TemporaryDirectory(prefix="treaty-repeat-") as folder:
        process = start(folder, http, to)
        services = [threading.Thread(target=service, args=(http, name, to))
                    for name in "abcd"[:SERVICES]]
        for thread in services:
            thread.start()
        try:
            end = time.monotonic() + 90
            while kills[0] < KILLS or (len(told) < ENOUGH and
                                       time.monotonic() < end):
                time.sleep(rng.uniform(0.05, 0.4))
                process.send_signal(signal.SIGKILL)
                process.wait(20)
                kills[0] += 1
                process = start(folder, http, to)
            over.set()
            for thread in services:
                thread.join(30)
            wait_until_delivered()
        finally:
            over.set()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    return verdict()


sys.exit(main())
