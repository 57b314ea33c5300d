#!/usr/bin/env python3
"""docs/runbook.md is true: its commands print what it shows.

usage: runbook_docs.py SOURCE_DIR TREATYD TREATY [--write]

Starts a treatyd and a service whose answers can be chosen, makes the trouble
that the page's comments "<!-- trouble ... -->" ask for, runs every line behind
"$ " of its console blocks in one shell, and compares what comes out. Numbers
and times differ from run to run and are made the same first, all but HTTP's
statuses of errors. --write puts what comes out into the page instead.
"""
import os
import re
import subprocess
import sys
import tempfile

write = "--write" in sys.argv
source, treatyd, treaty = sys.argv[1:4]
sys.argv = sys.argv[:3]
sys.dont_write_bytecode = True
import http_docs  # noqa: E402

PAGE = os.path.join(source, "docs/runbook.md")
HTTP, SHOP = "7091", "8081"

SERVICE = r'''
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
answers = {}
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path == "/say":
            said = json.loads(body)
            answers[said["path"]] = said["status"], said["body"]
        status, answer = answers.get(path, (200, {}))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

# What the comments of the page may call.
TROUBLE = r'''
export TREATY_SERVER=http://127.0.0.1:7091 NO_COLOR=1
api() { curl -sS -H 'Content-Type: application/json' "$TREATY_SERVER/api/v1/$@"; }
say() {		# PATH STATUS [BODY]: what the service answers from now on
	curl -sS http://127.0.0.1:8081/say -d \
		"{\"path\": \"$1\", \"status\": $2, \"body\": ${3:-null}}" >/dev/null
}
start() {
	"$treatyd" --config treaty.conf --log-level error 2>treatyd.log &
	pid=$!
	up
}
up() {
	for _ in $(seq 400); do treaty ping >/dev/null 2>&1 && return; sleep 0.02; done
	echo "treatyd is not up"; cat treatyd.log
}
reload() {	# LINE...: with these settings instead of the first ones
	cp first.conf treaty.conf
	for line in "$@"; do
		sed -i "/^${line%% =*} =/d" treaty.conf
		echo "$line" >>treaty.conf
	done
	"$treatyd" --config treaty.conf --check-config >/dev/null
	kill -HUP "$pid"
	sleep 0.3
}
begin() {	# NAME PATH: a transaction with one TCC participant
	xid=$(api transactions -d "{\"name\": \"$1\"}" | jq -r .xid)
	branch=$(api "transactions/$xid/branches" -d "{\"mode\": \"TCC\",
		\"confirm\": \"http://127.0.0.1:8081$2/confirm\",
		\"cancel\": \"http://127.0.0.1:8081$2/cancel\"}" | jq -r .branch)
}
decide() { api "transactions/$xid/$1" -d '{}' >/dev/null; }
message() {	# JSON
	xid=$(api messages -d "$1" | jq -r .xid)
	branch=$(api "messages/$xid" | jq -r '.branches[0].branch // .branches[0].id')
}
saga() { xid=$(api sagas -d "$1" | jq -r .xid); }
until_is() {	# JQ-EXPRESSION of the transaction
	for _ in $(seq 100); do
		api "transactions/$xid" | jq -e "$1" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "never: $1"; api "transactions/$xid"
}
'''


def steps():
    """[(hidden commands, command, [what it prints])] and the page in pieces."""
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    pieces, found, hidden = [], [], ""
    for part in re.split(r"(<!-- trouble\n.*?-->\n|```console\n.*?```)", text,
                         flags=re.S):
        pieces.append(part)
        if part.startswith("<!-- trouble"):
            hidden += part[len("<!-- trouble"):-len("-->\n")]
        elif part.startswith("```console"):
            for command, said in http_docs.commands([part[11:-3]]):
                found.append((hidden, command, said, len(pieces) - 1))
                hidden = ""
    return pieces, found


def same(text):
    """Without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "T", text)
    text = re.sub(r"\b(?![45]\d\d\b)(\d+(ms|s|m|h|d)?)+\b", "N", text)
    return "\n".join(" ".join(line.split())
                     for line in text.strip().split("\n"))


def script(found):
    out = TROUBLE + "start\n"
    for i, (hidden, command, _, _) in enumerate(found):
        command = re.sub(r"tc:7090:\d+ (\d+)", "$xid $branch", command)
        command = re.sub(r"tc:7090:\d+", "$xid", command)
        out += "%s\necho '<<<%d>>>'\n{ %s\n} 2>&1\n" % (hidden, i, command)
        if re.search(r"treaty \w+ (retry|replay|forward|compensate) ", command):
            out += "until_is .finished\n"
    return out + 'kill $pid; wait $pid\n'


def run(found, folder):
    ports = {HTTP: http_docs.free_port(), SHOP: http_docs.free_port()}
    text = script(found)
    conf = ("data_dir = data\ncoordinator = tc:7090\n"
            "agents_listen = tcp://127.0.0.1:0\n"
            "http_listen = 127.0.0.1:7091\nretry_first = 10min\n"
            "retry_max = 10min\n"
            "http_targets = http://127.0.0.1:8081/\n")
    for ours, theirs in ports.items():
        text = text.replace("127.0.0.1:" + ours, "127.0.0.1:" + theirs)
        conf = conf.replace("127.0.0.1:" + ours, "127.0.0.1:" + theirs)
    for name in ("first.conf", "treaty.conf"):
        with open(os.path.join(folder, name), "w", encoding="ascii") as f:
            f.write(conf)
    service = subprocess.Popen([sys.executable, "-c", SERVICE, ports[SHOP]])
    try:
        http_docs.wait_for(ports[SHOP])
        cli = os.path.dirname(os.path.abspath(treaty))
        done = subprocess.run(
            ["bash", "-c", text], cwd=folder, text=True, timeout=200,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": cli + ":" + os.environ["PATH"], "treatyd": treatyd})
    finally:
        service.terminate()
        service.wait(20)
    out = done.stdout
    for ours, theirs in ports.items():
        out = out.replace("127.0.0.1:" + theirs, "127.0.0.1:" + ours)
    return re.split(r"<<<\d+>>>\n", out)


def compare(found, parts):
    wrong = 0
    for (_, command, said, _), really in zip(found, parts):
        if same(said) != same(really):
            wrong += 1
            print("$ %s\ndocs/runbook.md says:\n%s\nbut it is:\n%s\n" %
                  (command, same(said), same(really)))
    return wrong


def put(pieces, found, parts):
    blocks, xid, branch = {}, None, None
    for (_, command, _, piece), really in zip(found, parts):
        seen = re.search(r"tc:7090:\d+", really)
        xid = seen[0] if seen else xid
        if xid:
            command = re.sub(r"tc:7090:\d+", xid, command)
        lines = "$ " + command.replace("\n", "\n> ") + "\n" + really.rstrip()
        blocks[piece] = blocks.get(piece, "") + lines.rstrip() + "\n"
    for piece, text in blocks.items():
        pieces[piece] = "```console\n" + re.sub(
            r"[ \t]+$", "", text, flags=re.M) + "```"
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write("".join(pieces))


def main():
    pieces, found = steps()
    if len(found) < 20:
        sys.exit("docs/runbook.md has only %d commands" % len(found))
    with tempfile.TemporaryDirectory(prefix="treaty-runbook-") as folder:
        before, *parts = run(found, folder)
    if before.strip() or len(parts) != len(found):
        sys.exit("%d commands, %d were run:\n%s" %
                 (len(found), len(parts), before))
    if write:
        return put(pieces, found, parts)
    return 1 if compare(found, parts) else 0


sys.exit(main())
