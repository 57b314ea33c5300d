#!/usr/bin/env python3
"""What treatyd answers is what docs/openapi.json says.

usage: openapi.py SOURCE_DIR TREATYD

Transactions of every mode are brought into every state that can be reached
without a database; each operation is called well and badly. Of every answer
the status must be listed, the type of content be the right one, and the body
be valid, with all members that are listed and none that are not. What breaks
the schema of a body in one place (a member missing, unknown, of another type,
too long, …) must be refused. In the end every operation has given each good
answer and each code that is listed for it, but for those named below.
"""
import copy
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import jsonschema

source, treatyd = sys.argv[1:]
wrong, seen, counts = [], set(), {"calls": 0, "broken": 0}
# What takes a failing store, a full memory, a bug, or a stop in the right
# moment: the unit tests have those.
RARE = {"internal", "no_memory", "store_failed", "closing", "outcome_unknown"}
# What takes another request in the midst of this one.
RACES = {("message", "wrong_state"), ("message", "transaction_not_found"),
         ("replay", "wrong_state")}
with open(os.path.join(source, "docs/openapi.json"), "rb") as file:
    text = file.read()
doc = json.loads(text)


# ---- the description ----

def of(thing):
    while "$ref" in thing:
        at = doc
        for part in thing["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        thing = at
    return thing


def close(thing):
    """A member of an answer that is not listed is a mistake here, though
    clients should bear it."""
    if isinstance(thing, dict):
        for value in list(thing.values()):
            close(value)
        if thing.get("type") == "object" and "properties" in thing:
            thing.setdefault("additionalProperties", False)
    elif isinstance(thing, list):
        for value in thing:
            close(value)


closed = copy.deepcopy(doc["components"])
close(closed)
validators = {}


def errors_of(schema, value, components):
    key = (id(schema), id(components))
    if key not in validators:
        validators[key] = (schema, jsonschema.Draft202012Validator(
            {"allOf": [schema], "components": components}))
    return validators[key][1].iter_errors(value)


def is_valid(schema, value):
    return next(iter(errors_of(schema, value, doc["components"])), None) is None


# ---- calls ----

class Answer:
    def __init__(self, response, method):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()
        self.type = (response.headers["Content-Type"] or "").split(";")[0]
        self.json = json.loads(self.bytes) if self.bytes else None
        self.code = self.json.get("code") if self.status >= 400 and \
            method != "HEAD" else None


def send(method, target, body=None, headers=None, chunked=False):
    """Headers that are None are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", world.http, timeout=70)
    sent = {"Host": "127.0.0.1:%d" % world.http}
    if body is not None:
        sent["Content-Type"] = "application/json"
        sent["Content-Length"] = str(len(body))
    sent.update(headers or {})
    connection.putrequest(method, target, skip_host=True,
                          skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    if chunked:
        connection.send(b"0\r\n\r\n")
    elif body:
        connection.send(body)
    try:
        return Answer(connection.getresponse(), method)
    finally:
        connection.close()


def complain(where, what):
    wrong.append("%s: %s" % (where, what))


def check(where, response, answer, operation):
    """`response` is the description's, for the status that came."""
    content = of(response).get("content")
    seen.add((operation, answer.status, answer.code))
    if content is None:
        if answer.bytes:
            complain(where, "%d with a body" % answer.status)
        return
    if answer.type not in content:
        complain(where, "%d of type %s" % (answer.status, answer.type))
        return
    for error in errors_of(content[answer.type]["schema"], answer.json, closed):
        complain(where, "%d, at %s: %s" % (
            answer.status, "/".join(map(str, error.absolute_path)) or "/",
            error.message[:300]))
    for name, header in of(response).get("headers", {}).items():
        if of(header).get("required", True) and name not in answer.headers:
            complain(where, "no header " + name)


def operations():
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


by_id = {operation["operationId"]: (method, path, operation)
         for method, path, operation in operations()}


def target_of(path, names, query=""):
    return re.sub(r"\{(\w+)\}", lambda m: quote(str(names[m[1]]), safe=""),
                  path) + query


def call(name, /, body=None, expect=None, query="", headers=None, raw=None,
         **names):
    """Call an operation and hold the answer against its description. `expect`
    is a status, or a problem's code."""
    method, path, operation = by_id[name]
    if method == "POST" and raw is None:
        raw = b"" if body is None else json.dumps(body).encode()
    answer = send(method, target_of(path, names, query), raw, headers)
    counts["calls"] += 1
    where = "%s %s %s %s" % (name, names, query, (raw or b"")[:300])
    response = operation["responses"].get(str(answer.status))
    if response is None:
        complain(where, "%d is not listed: %s" %
                 (answer.status, answer.bytes[:300]))
    else:
        check(where, response, answer, name)
    if expect is not None and expect not in (answer.status, answer.code):
        complain(where, "%s, not %s: %s" % (answer.status, expect,
                                            answer.bytes[:400]))
    return answer


# ---- what is there to be called ----

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def wait_for(what, look, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = look()
        if got:
            return got
        time.sleep(0.02)
    return sys.exit("waited for " + what)


class Participant(BaseHTTPRequestHandler):
    """/ok does it, /no refuses, /later and /bad never know."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = {"/ok": 200, "/no": 409, "/later": 425}.get(
            urlsplit(self.path).path, 500)
        body = b'{"error": "no", "message": "never"}' if status == 409 else b"{}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class World:
    def __init__(self, folder, *flags):
        self.folder, self.flags = folder, flags
        self.http, self.agents = free_port(), free_port()
        server = ThreadingHTTPServer(("127.0.0.1", 0), Participant)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % server.server_address[1]

    def start(self, *more):
        self.process = subprocess.Popen(
            [treatyd, "--data-dir", self.folder, "--coordinator",
             "127.0.0.1:7090", "--agents-listen",
             "tcp://127.0.0.1:%d" % self.agents, "--http-listen",
             "127.0.0.1:%d" % self.http, "--http-targets", self.url + "/",
             "--log-level", "error", "--retry-first", "20ms", "--retry-max",
             "100ms", "--attempts-max", "6", *self.flags, *more])
        wait_for("treatyd", self.is_up)

    def is_up(self):
        try:
            return send("GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Agent:
    """Speaks docs/protocol.md: one AT branch, which is dirty at first."""

    def __init__(self):
        self.tc = socket.create_connection(("127.0.0.1", world.agents))
        self.inn = self.tc.makefile("rb")
        self.tc.sendall(bytes.fromhex("0053500000300000"))
        self.inn.read(8)
        self.commands = 0

    def send(self, kind, number, *fields):
        body = struct.pack(">BBQ", 1, kind, number)
        for tag, value in fields:
            if isinstance(value, int):
                value = struct.pack(">Q", value)
            body += struct.pack(">BI", tag, len(value)) + value
        self.tc.sendall(struct.pack(">QI", 4 + len(body),
                                    number & 0x7fffffff | 1 << 31) + body)

    def receive(self):
        size, _ = struct.unpack(">QI", self.inn.read(12))
        body, fields, at = self.inn.read(size - 4), {}, 10
        while at < len(body):
            tag, size = struct.unpack(">BI", body[at:at + 5])
            fields[tag] = body[at + 5:at + 5 + size]
            at += 5 + size
        return body[1], int.from_bytes(body[2:10], "big"), fields

    def ask(self, kind, *fields):
        self.send(kind, 1000 + kind, *fields)
        while True:
            got, number, answer = self.receive()
            if got in (64, 66) and number == 1000 + kind:
                return answer

    def serve(self):
        detail = {"rows": [{"table": "t", "key": {"id": 1}, "now": {"a": 2}}]}
        try:
            while True:
                kind, number, command = self.receive()
                if kind == 67:
                    self.commands += 1
                    dirty = self.commands == 1
                    self.send(11, number, (2, command[2]), (3, command[3]),
                              (14, 10 if dirty else 8),
                              (22, json.dumps(detail).encode() if dirty
                               else b""))
        except (OSError, ValueError, struct.error):
            return

    def dirty(self):
        """xid and branch of a transaction whose AT branch is rolled back."""
        self.ask(1, (5, b"shop"), (6, b"0123456789abcdef"), (1, b"db"))
        xid = self.ask(3, (4, b"dirty"))[2]
        branch = self.ask(4, (2, xid), (10, b"db"), (12, 1))[3]
        threading.Thread(target=self.serve, daemon=True).start()
        return xid.decode(), str(int.from_bytes(branch, "big"))


def is_hung(xid):
    return lambda: call("showTransaction", xid=xid).json["hung"]


def is_finished(xid):
    return lambda: call("showTransaction", xid=xid).json["finished"]


def urls(value):
    """An example of the description, with our participant in it."""
    return json.loads(json.dumps(value).replace("http://127.0.0.1:8081",
                                                world.url))


def examples(name):
    body = by_id[name][2]["requestBody"]["content"]["application/json"]
    return {key: urls(e["value"]) for key, e in body["examples"].items()}


# ---- transactions of all kinds in all states ----

def begin(**more):
    return call("begin", dict({"name": "t"}, **more), 201).json["xid"]


def register(xid, expect=201, **body):
    got = call("register", body, expect, xid=xid)
    return got.json.get("branch")


def tcc(how="/ok"):
    return {"mode": "TCC", "confirm": world.url + how, "cancel": world.url + how}


def look(xid, *shows):
    for show in ("showTransaction", *shows):
        call(show, expect=200, xid=xid)
        call(show, expect=200, xid=xid.split(":")[-1])


def transactions():
    for way in ("commit", "rollback"):
        for branch in (tcc(), {"mode": "SAGA", "compensate": world.url + "/ok"},
                       {"mode": "XA", "commit": world.url + "/ok",
                        "rollback": world.url + "/ok"},
                       {"mode": "MSG", "to": world.url + "/ok"}):
            xid = begin(timeout_ms=600000)
            branch_id = register(xid, **branch)
            for body in examples("report").values():
                call("report", body, 400 if branch["mode"] == "MSG" else 200,
                     xid=xid, branch=branch_id)
            call("report", body, "branch_not_found", xid=xid, branch="99")
            look(xid)
            call(way, examples(way)["wait"], 200, xid=xid)
            look(xid)
            call(way, {}, 200, xid=xid)
            call("commit" if way == "rollback" else "rollback", {},
                 "wrong_state", xid=xid)
            call("register", tcc(), "wrong_state", xid=xid)
            call("report", {"status": "PhaseOne_Done"}, "wrong_state", xid=xid,
                 branch=branch_id)


def waiting_and_hung():
    for way, op in (("commit", "confirm"), ("rollback", "cancel")):
        for how in ("/bad", "/later", "/no"):
            xid = begin()
            branch = register(xid, data={"n": 1}, headers={"X-Key": "secret"},
                              lock_keys=[{"table": how, "key": [way]}],
                              **tcc(how))
            call(way, {}, 200, xid=xid)
            if how == "/no":
                wait_for(op + " to hang", is_hung(xid))
            look(xid)
            call("retryTransaction", examples("retryTransaction")["reason"],
                 200, xid=xid)
            look(xid)
            call("retryBranch", examples("retryBranch")["reason"], 200,
                 xid=xid, branch=branch)
            call("retryBranch", {}, "branch_not_found", xid=xid, branch="99")
            look(xid)
    xid = begin(timeout_ms=50)
    register(xid, **tcc())
    wait_for("a time-out", is_finished(xid))
    look(xid)
    agent = begin()
    register(agent, mode="TCC", resource="nobody", application="bank")
    call("commit", {"wait_ms": 30}, 200, xid=agent)
    look(agent)
    world.kept = begin(timeout_ms=600000)
    world.branch = register(world.kept, **tcc())
    call("retryTransaction", {}, "wrong_state", xid=world.kept)
    call("retryBranch", {}, "wrong_state", xid=world.kept, branch=world.branch)


def dirty():
    xid, branch = Agent().dirty()
    say = examples("resolve")
    call("resolve", say["undo"], "wrong_state", xid=xid, branch=branch)
    call("resolve", say["undo"], "bad_request", xid=world.kept,
         branch=world.branch)
    call("rollback", {}, 200, xid=xid)
    wait_for("a dirty branch", is_hung(xid))
    look(xid)
    call("resolve", dict(say["undo"], resolution="values", values={
        "a": "b" * 20000}), "limit_reached", xid=xid, branch=branch)
    call("resolve", say["undo"], "branch_not_found", xid=xid, branch="99")
    call("resolve", say["keep"], 200, xid=xid, branch=branch)
    wait_for("the end of a dirty branch", is_finished(xid))
    look(xid)


def registrations():
    xid = begin(timeout_ms=600000)
    call("report", {"status": "PhaseOne_Done", "data": "x" * 20000},
         "limit_reached", xid=world.kept, branch=world.branch)
    call("register", examples("register")["topic"], "topic_not_found", xid=xid)
    for body in examples("subscribe").values():
        call("subscribe", body, 200, topic="orders")
    for body in examples("register").values():
        call("register", body, 201, xid=xid)
    call("unsubscribe", None, 200, topic="orders", subscriber="stock")
    key = {"Idempotency-Key": "k"}
    one = call("register", tcc(), 201, headers=key, xid=xid).json
    two = call("register", tcc(), 201, headers=key, xid=xid).json
    if one != two:
        complain("register", "an Idempotency-Key gave two branches")
    call("register", dict(tcc(), confirm="http://192.0.2.1/"),
         "target_not_allowed", xid=xid)
    look(xid)


def locks():
    def locking(row, wait):
        return dict(tcc(), lock_wait_ms=wait, lock_keys=[
            {"table": "account", "key": [row]}])

    a, b = begin(timeout_ms=600000), begin(timeout_ms=600000)
    register(a, **locking("a", 0))
    register(b, **locking("b", 0))
    call("register", locking("a", 0), "lock_conflict", xid=b)
    call("register", locking("a", 50), "lock_timeout", xid=b)
    waits = threading.Thread(target=call, args=("register",
                                                locking("b", 20000)),
                             kwargs={"xid": a})
    waits.start()
    wait_for("a waiter", lambda: call("stats").json["core"]["waiters_now"])
    call("register", locking("a", 20000), "deadlock", xid=b)
    look(a)
    call("rollback", {"wait_ms": 10000}, 200, xid=b)
    waits.join()
    call("rollback", {"wait_ms": 10000}, 200, xid=a)


def limits():
    xid = begin(timeout_ms=600000)
    while call("register", tcc(), xid=xid).status == 201:
        pass
    call("register", tcc(), "limit_reached", xid=xid)
    call("rollback", {}, 200, xid=xid)


def messages():
    say = examples("message")
    done = call("message", say["submit"], 201).json["xid"]
    look(done, "showMessage")
    xid = call("message", say["prepare"], 201).json["xid"]
    look(xid, "showMessage")
    call("submit", examples("submit")["wait"], 200, xid=xid)
    call("submit", {}, 200, xid=xid)
    call("abort", {}, "wrong_state", xid=xid)
    xid = call("message", say["prepare"], 201).json["xid"]
    call("abort", examples("abort")["wait"], 200, xid=xid)
    call("submit", {}, "wrong_state", xid=xid)
    look(xid, "showMessage")
    key = {"Idempotency-Key": "order-7"}
    call("message", say["submit"], 201, headers=key)
    call("message", say["submit"], 200, headers=key)
    key = {"Idempotency-Key": "order-8"}
    call("message", say["prepare"], 201, headers=key)
    other = copy.deepcopy(say["prepare"])
    other["deliveries"][0] = {"to": "msg:other"}
    call("message", other, "idempotency_key_reused", headers=key)
    call("message", dict(say["submit"], deliveries=[{"topic": "odrers"}]),
         "topic_not_found")
    call("message", dict(say["submit"], deliveries=[
        {"to": "http://192.0.2.1/"}]), "target_not_allowed")
    call("message", dict(say["submit"], deliveries=[
        {"to": world.url + "/ok"}] * 50), "limit_reached")
    call("submit", {}, "transaction_not_found", xid=world.kept)
    call("abort", {}, "transaction_not_found", xid=world.kept)
    call("showMessage", expect="transaction_not_found", xid=world.kept)
    asked = call("message", dict(say["prepare"], timeout_ms=50,
                                 check=world.url + "/later"), 201).json["xid"]
    wait_for("a check", lambda: call("showMessage", xid=asked).json["why"])
    look(asked, "showMessage")
    call("message", {"name": "m", "submit": True, "deliveries": [
        {"to": "msg:nobody", "data": "x"}]}, 201)


def letters():
    for how in ("/no", "/bad"):
        xid = call("message", {"name": "dead", "submit": True, "deliveries": [
            {"to": world.url + how, "data": {"n": 1}, "schedule_ms": [10]}]},
            201).json["xid"]
        wait_for("a dead letter", is_hung(xid))
        look(xid, "showMessage")
    page = call("listDeadLetters", query="?limit=1").json
    call("listDeadLetters", query="?limit=1&after=" + page["next"], expect=200)
    letter = page["dead_letters"][0]
    call("replay", examples("replay")["reason"], 200, xid=letter["xid"],
         branch=letter["branch"])
    call("replay", {}, "branch_not_found", xid=world.kept, branch=world.branch)


def topics():
    call("listSubscribers", expect=200, topic="orders")
    call("listTopics", expect=200)
    call("listSubscribers", expect="topic_not_found", topic="odrers")
    call("subscribe", {"subscriber": "x", "to": "http://192.0.2.1/"},
         "target_not_allowed", topic="orders")
    call("subscribe", {"subscriber": "x", "to": "msg:x"}, 200, topic="a/b%")
    call("unsubscribe", expect=200, topic="a/b%", subscriber="x")
    call("unsubscribe", expect="topic_not_found", topic="a/b%", subscriber="x")
    while call("subscribe", {"subscriber": "s%d" % counts["calls"],
                             "to": "msg:x"}, topic="full").status == 200:
        pass


def machines():
    document = examples("putMachine")["machine"]
    call("putMachine", document, 201)
    call("putMachine", document, 200)
    call("putMachine", dict(document, Comment="x"), "already_exists")
    call("putMachine", dict(document, StartState="No"), "bad_machine")
    call("putMachine", json.loads(json.dumps(document).replace(
        world.url, "http://192.0.2.1")), "target_not_allowed")
    call("listMachines", expect=200)
    call("showMachine", expect=200, name="reserve")
    call("showMachine", expect=200, query="?version=1.0", name="reserve")
    call("showMachine", expect="machine_not_found", query="?version=2",
         name="reserve")
    call("showMachine", expect="bad_query", query="?v=2", name="reserve")
    call("dropMachine", expect="bad_query", name="reserve")
    call("dropMachine", expect="machine_not_found", query="?version=2",
         name="reserve")


def graph(*hows, back="/ok"):
    return {"name": "g", "steps": [
        {"name": "s%d" % n, "action": world.url + how,
         "compensation": world.url + back} for n, how in enumerate(hows)]}


def start(expect=201, **body):
    return call("startSaga", body, expect).json["xid"]


def sagas():
    say = examples("startSaga")
    done = call("startSaga", say["machine"], 201).json["xid"]
    look(done, "showSaga")
    call("startSaga", say["graph"], 201)
    call("startSaga", say["graph"], 200)
    call("startSaga", {"machine": "nobody"}, "machine_not_found")
    call("startSaga", {"definition": {"name": "g"}}, "bad_machine")
    call("startSaga", {"definition": {"name": "g", "steps": [
        {"name": "a", "action": "http://192.0.2.1/"}]}}, "target_not_allowed")
    undone = start(definition=graph("/ok", "/no"), wait_ms=10000)
    look(undone, "showSaga")
    hung = start(definition=graph("/ok", "/no", back="/no"))
    wait_for("a saga to hang", is_hung(hung))
    look(hung, "showSaga")
    call("skip", {"reason": "r", "task": 99}, "task_not_found", xid=hung)
    call("forward", examples("forward")["reason"], 200, xid=hung)
    wait_for("a saga to hang again", is_hung(hung))
    call("skip", {"reason": "by hand"}, 200, xid=hung)
    look(hung, "showSaga")
    on = start(definition=graph("/bad"))
    wait_for("a call", lambda: call("showSaga", xid=on).json["run"]["calls"])
    look(on, "showSaga")
    call("compensate", examples("compensate")["reason"], 200, xid=on)
    for move, body in (("forward", {}), ("compensate", {}),
                       ("skip", {"reason": "r"})):
        call(move, body, "wrong_state", xid=done)
        call(move, body, "wrong_state", xid=world.kept)
    call("commit", {}, "wrong_state", xid=on)
    call("showSaga", expect="transaction_not_found", xid=world.kept)
    call("putMachine", {"Name": "slow", "Version": "1.0", "StartState": "A",
                        "States": {"A": {"Type": "ServiceTask",
                                         "ServiceName": "nobody",
                                         "ServiceMethod": "m",
                                         "Next": "E"},
                                   "E": {"Type": "Succeed"}}}, 201)
    look(start(machine="slow"), "showSaga")
    call("dropMachine", expect="wrong_state", query="?version=1.0", name="slow")
    call("dropMachine", expect=200, query="?version=1.0", name="reserve")


def probes():
    for name in ("health", "ready", "stats", "unfinished"):
        call(name, expect=200)
    answer = call("openapi", expect=200)
    if answer.bytes != text:
        complain("openapi", "it is not docs/openapi.json")
    tag = answer.headers["ETag"]
    for value in (tag, 'W/%s' % tag, '"x", ' + tag, "*"):
        call("openapi", expect=304, headers={"If-None-Match": value})
    call("openapi", expect=200, headers={"If-None-Match": '"x"'})


# ---- questions ----

LISTS = ("listTransactions", "listMessages", "listSagas")


def follow(name, query, key):
    after, pages = "", 0
    while after is not None and pages < 40:
        page = call(name, expect=200, query=query + after).json
        if not isinstance(page[key], list):
            break
        after = page["next"] and "&after=" + page["next"]
        pages += 1


def lists():
    for name in LISTS:
        for state in ("unfinished", "finished"):
            follow(name, "?limit=7&state=" + state, "transactions")
        for query in ("?hung=true", "?text=dea", "?resource=nobody",
                      "?min_age=1ms", "?status=Begin", "?status=9&limit=1000"):
            call(name, expect=200, query=query)
    for kind in of(doc["components"]["schemas"]["Kind"])["enum"]:
        call("listTransactions", expect=200, query="?kind=" + kind)


def bad_values(schema):
    yield from ("", "-1", "no%20such", "1e3", "99999999999999999999")
    if "maximum" in schema:
        yield str(schema["maximum"] + 1)
        yield str(schema["minimum"] - 1)


def fits(schema, value):
    if schema["type"] == "integer":
        return value.isdigit() and is_valid(schema, int(value))
    return is_valid(schema, value)


def queries():
    """Parameters that break their schema, and ones that nobody knows."""
    for name, (_, _, operation) in by_id.items():
        if "bad_query" not in codes_of(operation):
            continue
        names = names_of(name)
        call(name, expect="bad_query", query="?nobody_knows=1", **names)
        for param in map(of, operation.get("parameters", ())):
            schema = of(param["schema"])
            if param["in"] != "query" or not set(schema) & {
                    "enum", "pattern", "minimum"}:
                continue
            for value in bad_values(schema):
                if not fits(schema, value.replace("%20", " ")):
                    call(name, expect="bad_query", query="?%s=%s" % (
                        param["name"], value), **names)


# ---- bodies that break their schema ----

def inside(schema, value):
    """The alternative that the value is one of."""
    schema = of(schema)
    for one in schema.get("oneOf", ()):
        if "$ref" in one and is_valid(one, value):
            return of(one)
    return schema


def broken_object(schema, value):
    for name in schema.get("required", ()):
        yield {k: v for k, v in value.items() if k != name}
    yield dict(value, nobody_knows=1)
    for name, one in schema.get("properties", {}).items():
        for bad in broken(one, value.get(name)):
            yield dict(value, **{name: bad})
    if isinstance(schema.get("additionalProperties"), dict):
        for bad in broken(schema["additionalProperties"], "x"):
            yield {"X-Y": bad}


def broken_array(schema, value):
    if "maxItems" in schema:
        yield (value or [{}])[:1] * (schema["maxItems"] + 1)
    yield []
    for item in value[:2]:
        for bad in broken(schema.get("items", {}), item):
            yield [bad, *value[1:]]


def broken(schema, value):
    """What is near to the value. Some of it may be valid all the same."""
    schema = inside(schema, value)
    yield from (None, True, 7, 7.5, -1, "", "nothing", [], [None], {})
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
    if "maximum" in schema:
        yield schema["maximum"] + 1
    types = schema.get("type", ())
    if "array" in types:
        yield from broken_array(schema, value or [])
    if "object" in types and not isinstance(value, (str, list)):
        yield from broken_object(schema, value or {})


def names_of(name):
    path = by_id[name][1]
    have = {"xid": world.kept, "branch": world.branch, "topic": "orders",
            "subscriber": "mail", "name": "slow"}
    return {n: have[n] for n in re.findall(r"\{(\w+)\}", path)}


def codes_of(operation):
    codes = set()
    for status, response in operation["responses"].items():
        if status >= "4":
            schema = of(response)["content"]["application/problem+json"]
            codes |= set(schema["schema"]["allOf"][1]["properties"]["code"]
                         ["enum"])
    return codes


NOT_JSON = (b"{", b"{}{}", b'{"name": "\xff"}', b"[]", b'"x"', b"nul", b'{"a"}',
            b"[" * 200, b'{"reason":"a","reason":"b"}')


def bodies():
    for name, (method, _, operation) in by_id.items():
        if method != "POST":
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        names = names_of(name)
        for raw in NOT_JSON:
            call(name, expect=400, raw=raw, **names)
        for example in examples(name).values():
            told = set()
            for body in broken(schema, example):
                raw = json.dumps(body)
                if raw in told or is_valid(schema, body):
                    continue
                told.add(raw)
                counts["broken"] += 1
                if call(name, raw=raw.encode(), **names).status not in (400, 422):
                    complain(name, "taken: " + raw[:300])


def nulls():
    """null is as if the member were not there."""
    for name, (method, _, operation) in by_id.items():
        if method != "POST":
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for example in examples(name).values():
            for member in inside(schema, example).get("properties", {}):
                body = dict(example, **{member: None})
                if member in example or not is_valid(schema, body):
                    continue
                got = call(name, body, **names_of(name))
                if got.code == "bad_json":
                    complain(name, "null for %s: %s" % (member, got.json))


# ---- what is wrong whatever is asked ----

def envelopes():
    for name, (method, path, operation) in by_id.items():
        names = names_of(name)
        body = b"{" if method == "POST" else None

        def refused(code, query="", sent=body, **headers):
            call(name, expect=code, raw=sent, query=query,
                 headers=headers, **names)

        refused("bad_request", "?%zz=1")
        refused("too_large", sent=None if method != "POST" else b"",
                **{"Content-Length": "99999999", "Content-Type":
                   "application/json"})
        if "wrong_host" in codes_of(operation):
            refused("wrong_host", Host="evil.example")
        if method != "GET":
            refused("cross_site", Origin="http://evil.example")
        if method == "POST":
            refused("unsupported_media_type", **{"Content-Type": "text/plain"})
        chunked(name, method, path, operation, names)
        misplaced(name, path, names)
        if method == "GET":
            head(name, path, names)


def chunked(name, method, path, operation, names):
    answer = send(method, target_of(path, names), None, {
        "Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        chunked=True)
    check(name, operation["responses"].get("411", {}), answer, name)


def misplaced(name, path, names):
    everywhere = doc["components"]["responses"]
    answer = send("PUT", target_of(path, names), b"{}")
    check("PUT " + path, everywhere["MethodNotAllowed"], answer, "everywhere")
    answer = send("GET", target_of(path, names) + "/x/y/none")
    check("GET " + path + "/…", everywhere["NotFound"], answer, "everywhere")


def head(name, path, names):
    get = send("GET", target_of(path, names))
    answer = send("HEAD", target_of(path, names))
    if answer.bytes or answer.status != get.status:
        complain("HEAD " + name, "%d, and GET says %d" %
                 (answer.status, get.status))


def ids():
    """Transactions that are not there, not ours, of another life."""
    for name, (method, path, operation) in by_id.items():
        names = names_of(name)
        if "xid" not in names:
            continue
        body = next(iter(examples(name).values())) if method == "POST" else None
        kept = world.kept.split(":")[-1]
        for xid, code in (("x", "bad_request"), ("0", "bad_request"),
                          ("elsewhere:1:5", "transaction_not_found"),
                          ("1", "other_life")):
            call(name, body, code, **dict(names, xid=xid))
        gone = call(name, body, **dict(names, xid=str(int(kept) + 10 ** 6)))
        if gone.status not in (404, 410):
            complain(name, "%d for what never began" % gone.status)
        if "branch" in names:
            call(name, body, "bad_request", **dict(names, branch="x"))


def full():
    """A coordinator that takes no more."""
    world.stop()
    world.start("--machines-max", "1", "--transactions-max", "1")
    call("begin", {"name": "one more"}, "limit_reached")
    call("message", examples("message")["submit"], "limit_reached")
    call("startSaga", {"definition": graph("/ok")}, "limit_reached")
    call("putMachine", dict(examples("putMachine")["machine"], Name="other"),
         "limit_reached")
    for name in LISTS:
        call(name, expect=200)


def missing():
    """Everything that is listed has come, but for what is rare."""
    for name, (_, _, operation) in by_id.items():
        for status in operation["responses"]:
            if status < "4" and (name, int(status), None) not in seen:
                complain(name, "%s never came" % status)
        came = {code for op, _, code in seen if op == name}
        for code in sorted(codes_of(operation) - RARE - came):
            if (name, code) not in RACES:
                complain(name, "%s never came" % code)


def main():
    world.start()
    try:
        for part in (probes, transactions, waiting_and_hung, dirty,
                     registrations, locks, limits, messages, letters, topics,
                     machines, sagas, lists, queries, bodies, nulls, envelopes,
                     ids, full):
            part()
        missing()
    finally:
        world.stop()
    for line in wrong[:60]:
        print(line)
    print("%(calls)d calls, %(broken)d bodies that break their schema" % counts)
    if counts["broken"] < 300:
        sys.exit("too few")
    return 1 if wrong else 0


with tempfile.TemporaryDirectory(prefix="treaty-openapi-") as where:
    world = World(where + "/data", "--branches-max", "40", "--subscribers-max",
                  "10", "--application-data-max", "16KiB")
    sys.exit(main())
