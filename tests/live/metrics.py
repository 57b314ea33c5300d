#!/usr/bin/env python3
"""What GET /metrics says after real traffic is what has happened.

usage: metrics.py SOURCE_DIR TREATYD

Transactions of each mode against an HTTP participant of this test, an agent
(samples/other-languages/begin_commit.py), a refusal that hangs; then each
figure that can be known is compared, times with what must at least and can at
most have passed. Then kill -9 and the same again of what must survive. The
text is read by a parser that refuses what Prometheus would refuse.
"""
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

source, treatyd = sys.argv[1:]
SLOW = 0.03  # seconds that the participant takes for a confirm
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
calls = {}  # path -> how often
lock = threading.Lock()
wrong = []


class Participant(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        with lock:
            calls[path] = calls.get(path, 0) + 1
        if path == "/confirm":
            time.sleep(SLOW)
        self.send_response(409 if path == "/never" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


# ---- reading ----

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
SAMPLE = re.compile(r"(%s)(?:\{((?:%s)(?:,%s)*)\})? (\S+)" %
                    (NAME, LABEL, LABEL))


class Metrics:
    """One scrape. Every breach of the format goes to `wrong`."""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        self.helped, name = set(), None
        if not text.endswith("\n"):
            wrong.append("the text does not end with a line")
        for line in text.splitlines():
            name = self.line(line, name)
        for name, kind in self.types.items():
            if name not in self.helped:
                wrong.append(name + " has no HELP")
            if not any(self.family(n) == name for n, _ in self.samples):
                wrong.append(name + " has no samples")
            if kind == "histogram":
                self.histogram(name)
            if (kind == "counter") != name.endswith("_total"):
                wrong.append("%s is a %s" % (name, kind))

    def family(self, name):
        plain = re.sub(r"_(bucket|sum|count)$", "", name)
        return plain if self.types.get(plain) == "histogram" else name

    def line(self, line, name):
        head = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
        if head:
            if head[1] == "HELP":
                if head[2] in self.helped:
                    wrong.append("HELP twice: " + line)
                self.helped.add(head[2])
            else:
                if head[3] not in ("counter", "gauge", "histogram"):
                    wrong.append("type: " + line)
                self.types[head[2]] = head[3]
            return head[2]
        sample = SAMPLE.fullmatch(line)
        if not sample:
            wrong.append("not a line: " + line)
            return name
        labels = frozenset(re.findall(LABEL, sample[2] or ""))
        key = sample[1], labels
        value = float(sample[7])
        if self.family(sample[1]) != name:
            wrong.append("out of its group: " + line)
        if key in self.samples:
            wrong.append("twice: " + line)
        if value < 0 or math.isnan(value):
            wrong.append("value: " + line)
        self.samples[key] = value
        return name

    def histogram(self, name):
        series = {}
        for (n, labels), value in self.samples.items():
            if n == name + "_bucket":
                le = dict(labels)["le"]
                rest = frozenset(x for x in labels if x[0] != "le")
                series.setdefault(rest, []).append(
                    (math.inf if le == "+Inf" else float(le), value))
        for rest, buckets in series.items():
            values = [value for _, value in sorted(buckets)]
            if values != sorted(values) or max(buckets)[0] != math.inf:
                wrong.append("%s: buckets do not add up" % name)
            if values[-1] != self.samples[name + "_count", rest]:
                wrong.append("%s: count is not the last bucket" % name)
            if (self.samples[name + "_sum", rest] > 0) > (values[-1] > 0):
                wrong.append("%s: a sum of nothing" % name)

    def get(self, name, **labels):
        return self.samples.get((name, frozenset(labels.items())), math.nan)


def scrape(http):
    with opener.open("http://127.0.0.1:%d/metrics" % http, timeout=10) as a:
        kind = a.headers["Content-Type"]
        if kind != "text/plain; version=0.0.4; charset=utf-8":
            wrong.append("Content-Type " + kind)
        return Metrics(a.read().decode())


def expect(metrics, name, least, most=None, **labels):
    value = metrics.get(name, **labels)
    most = least if most is None else most
    if not least <= value <= most:
        wrong.append("%s %s is %s, not %s to %s" %
                     (name, labels or "", value, least, most))


# ---- traffic ----

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def wait_for(what, look, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return
        time.sleep(0.02)
    sys.exit("waited for " + what)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start(folder, agents, http, to):
    process = subprocess.Popen(
        [treatyd, "--data-dir", folder, "--coordinator", "127.0.0.1:7090",
         "--agents-listen", "tcp://127.0.0.1:%d" % agents, "--http-listen",
         "127.0.0.1:%d" % http, "--http-targets", to, "--log-level", "error"])
    wait_for("treatyd", lambda: listens(http))
    return process


def post(http, path, body):
    request = urllib.request.Request(
        "http://127.0.0.1:%d/api/v1/%s" % (http, path),
        json.dumps(body).encode(), {"Content-Type": "application/json"})
    with opener.open(request, timeout=20) as answer:
        return json.load(answer)


def begin(http, to):
    xid = post(http, "transactions", {"name": 'a "name"\n'})["xid"]
    post(http, "transactions/%s/branches" % xid,
         {"mode": "TCC", "confirm": to + "confirm", "cancel": to + "cancel"})
    return xid


def traffic(http, to):
    for _ in range(12):
        post(http, "transactions/%s/commit" % begin(http, to),
             {"wait_ms": 10000})
    for _ in range(5):
        post(http, "transactions/%s/rollback" % begin(http, to), {})
    for _ in range(3):
        begin(http, to)
    for path in ("mail", "mail", "mail", "mail", "never"):
        post(http, "messages", {"name": "m", "submit": True, "deliveries": [
            {"to": to + path, "data": {}}]})
    for last in ("pay", "never"):
        post(http, "sagas", {"wait_ms": 10000, "input": {}, "definition": {
            "name": "s", "steps": [
                {"name": "a", "action": to + "take",
                 "compensation": to + "back"},
                {"name": "b", "action": to + last,
                 "compensation": to + "back"}]}})


# What the traffic above must have brought.
CALLS = {"/confirm": 12, "/cancel": 5, "/mail": 4, "/never": 2, "/take": 2,
         "/pay": 1, "/back": 1}


def check_counts(m):
    for kind, n in (("begin", 25), ("register", 25), ("commit_wait", 12),
                    ("commit", 5), ("rollback", 5), ("rollback_wait", 0),
                    ("saga_start_wait", 2), ("saga_start", 0)):
        expect(m, "treaty_request_seconds_count", n, request=kind)
    for mode, command, n in (("TCC", "commit", 12), ("TCC", "rollback", 5),
                             ("MSG", "deliver", 5), ("SAGA", "call", 4),
                             ("SAGA", "compensation", 1), ("AT", "commit", 0)):
        expect(m, "treaty_command_seconds_count", n, mode=mode,
               command=command)
    expect(m, "treaty_phase_two_seconds_count", 16, decision="commit")
    expect(m, "treaty_phase_two_seconds_count", 5, decision="rollback")
    for kind, outcome, n in (("plain", "committed", 12),
                             ("plain", "rolled_back", 5),
                             ("message", "committed", 4),
                             ("saga", "committed", 1),
                             ("saga", "rolled_back", 1)):
        expect(m, "treaty_transaction_seconds_count", n, kind=kind,
               outcome=outcome)
    for name, n in (("transactions_begun", 27), ("branches", 25),
                    ("commands", 27), ("command_retries", 0), ("messages", 5),
                    ("deliveries", 4), ("dead_letters", 1),
                    ("transactions_hung", 1), ("http_calls", 27),
                    ("http_answers", 27), ("transactions_timed_out", 0)):
        expect(m, "treaty_%s_total" % name, n)
    expect(m, "treaty_transactions_ended_total", 17, outcome="committed")
    expect(m, "treaty_transactions_ended_total", 6, outcome="rolled_back")
    for of in ("request", "command", "phase_two"):
        expect(m, "treaty_measurements_lost_total", 0, of=of)


def check_times(m, passed):
    for name, labels in (
            ("treaty_command_seconds", {"mode": "TCC", "command": "commit"}),
            ("treaty_phase_two_seconds", {"decision": "commit"}),
            ("treaty_request_seconds", {"request": "commit_wait"})):
        expect(m, name + "_sum", 12 * SLOW, passed, **labels)
        expect(m, name + "_bucket", 0, 4, le="0.025", **labels)
    expect(m, "treaty_transaction_seconds_sum", 12 * SLOW, passed,
           kind="plain", outcome="committed")
    expect(m, "treaty_request_seconds_sum", 1e-6, passed, request="begin")
    expect(m, "treaty_uptime_seconds", 12 * SLOW, passed + 60)
    expect(m, "treaty_store_batch_seconds_sum", 1e-5, passed, durable="yes")
    rows = sum(m.get("treaty_store_rows_total", forced=f)
               for f in ("no", "yes"))
    expect(m, "treaty_store_batch_rows_sum", 1, 3 * rows)
    syncs = m.get("treaty_store_sync_seconds_count")
    expect(m, "treaty_store_batch_seconds_count", syncs, durable="yes")
    expect(m, "treaty_store_syncs_total", syncs, 10 * syncs + 100)
    expect(m, "treaty_store_sync_seconds_sum", 1e-6,
           m.get("treaty_store_syncing_seconds_total"))
    expect(m, "process_cpu_seconds_total", 1e-3, passed + 60)


def check_unfinished(m, age):
    """What survives a kill -9, too."""
    for kind, status, n in (("plain", "Begin", 3), ("saga", "Begin", 0),
                            ("message", "CommitFailed", 1),
                            ("plain", "Committing", 0)):
        expect(m, "treaty_transactions_unfinished", n, kind=kind,
               status=status)
    expect(m, "treaty_transactions_hung", 1, status="CommitFailed")
    expect(m, "treaty_transactions_hung", 0, status="RollbackFailed")
    expect(m, "treaty_transaction_oldest_seconds", age, age + 60)
    expect(m, "treaty_transaction_oldest_hung_seconds", 0.001, age + 60)
    expect(m, "treaty_transactions_older", 0, seconds="3600")
    expect(m, "treaty_sagas", 0, state="hung")
    expect(m, "treaty_dead_letters", 1)
    expect(m, "treaty_work", 1, waits_for="operator")
    expect(m, "treaty_work", 0, waits_for="answer")
    expect(m, "treaty_http_participants", 1)
    expect(m, "treaty_http_participants_silent", 0)
    expect(m, "treaty_state", 1, state="ready")


def check_agent(http, agents):
    """An agent comes, and commits a transaction of its own."""
    before = scrape(http)
    expect(before, "treaty_agents", 0)
    expect(before, "treaty_door_accepted_total", 0, door="agents")
    subprocess.run([sys.executable, os.path.join(
        source, "samples/other-languages/begin_commit.py"),
        "127.0.0.1", str(agents)], check=True, timeout=30,
        stdout=subprocess.DEVNULL)
    after = scrape(http)
    expect(after, "treaty_door_accepted_total", 1, door="agents")
    expect(after, "treaty_door_messages_in_total", 3, 20, door="agents")
    expect(after, "treaty_transactions_begun_total",
           before.get("treaty_transactions_begun_total") + 1)


def check_page(m):
    with open(os.path.join(source, "docs/metrics.md"), encoding="utf-8") as f:
        page = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", f.read(), re.M))
    for name in sorted(set(page) ^ set(m.types)):
        wrong.append("%s: not both in docs/metrics.md and here" % name)
    for name in set(page) & set(m.types):
        if page[name] != m.types[name]:
            wrong.append("%s: docs/metrics.md has another type" % name)
    used = {}
    for name, labels in m.samples:
        used.setdefault(m.family(name), set()).update(k for k, _ in labels)
    with open(os.path.join(source, "docs/metrics.md"), encoding="utf-8") as f:
        for name, labels in re.findall(r"^\| `(\w+)` \| \w+ \|(.*?)\|",
                                       f.read(), re.M):
            said = set(re.findall(r"`(\w+)`", labels))
            if said != used.get(name, set()) - {"le"}:
                wrong.append("%s: docs/metrics.md has other labels" % name)
    text = json.dumps([[n, sorted(l)] for n, l in m.samples])
    for secret in ("127.0.0.1", "7090", 'a \\"name', "confirm\""):
        if secret in text:
            wrong.append("a label has what somebody sent: " + secret)


def run(folder, to):
    agents, http = free_port(), free_port()
    began = time.monotonic()
    process = start(folder, agents, http, to)
    try:
        traffic(http, to)
        first = time.monotonic()
        wait_for("the ends", lambda: scrape(http).get(
            "treaty_transactions_ended_total", outcome="rolled_back") >= 6 and
            scrape(http).get("treaty_dead_letters") == 1)
        wait_for("a new count", lambda: time.monotonic() - first > 1.2)
        m = scrape(http)
        check_counts(m)
        check_times(m, time.monotonic() - began)
        check_unfinished(m, 1)
        check_page(m)
        with lock:
            if calls != CALLS:
                wrong.append("the participant heard %s" % calls)
        check_agent(http, agents)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        process = start(folder, agents, http, to)
        m = scrape(http)
        check_unfinished(m, 1)
        expect(m, "treaty_transactions_begun_total", 0)
        expect(m, "treaty_request_seconds_count", 0, request="begin")
    finally:
        process.kill()
        process.wait(20)


def main():
    server = Server(("127.0.0.1", 0), Participant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    to = "http://127.0.0.1:%d/" % server.server_address[1]
    with tempfile.TemporaryDirectory(prefix="treaty-metrics-") as folder:
        run(folder, to)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
