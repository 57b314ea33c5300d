#!/usr/bin/env python3
"""docs/http-participants.md is true: its example works against a treatyd, and so
do certificates.

usage: http_participant_docs.py SOURCE_DIR TREATYD
"""
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

source, treatyd = sys.argv[1:]
wrong = []
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check(ok, text):
    if not ok:
        wrong.append(text)


def wait_for(what, look, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = look()
        if got:
            return got
        time.sleep(0.02)
    sys.exit("waited for " + what)


def ask(url, document=None):
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(
        url, body, {"Content-Type": "application/json"})
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Coordinator:
    def __init__(self, folder, *flags):
        self.process = subprocess.Popen(
            [treatyd, "--data-dir", folder, "--http-listen", "127.0.0.1:0",
             "--agents-listen", "tcp://127.0.0.1:0", "--log-level", "error",
             "--retry-first", "20ms", "--retry-max", "100ms",
             "--coordinator", "here:1", *flags])

        def address():
            try:
                with open(folder + "/address", encoding="ascii") as file:
                    return re.search(r"^http (\S+)", file.read(), re.M)
            except FileNotFoundError:
                return None
        self.api = ("http://" + wait_for("treatyd", address).group(1) +
                    "/api/v1/transactions")

    def begin(self):
        return ask(self.api, {"name": "checkout"})[1]["xid"]

    def add(self, xid, url, data):
        status, answer = ask("%s/%s/branches" % (self.api, xid), {
            "mode": "TCC", "confirm": url, "cancel": url, "data": data})
        check(status == 201, "register: %s" % answer)
        return answer.get("branch")

    def end(self, xid, how):
        ask("%s/%s/%s" % (self.api, xid, how), {})

    def await_shown(self, xid, what):
        wait_for(what, lambda: what in json.dumps(
            ask("%s/%s" % (self.api, xid))[1]))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def wallet_is(url, balance, frozen, when):
    got = ask(url + "/ann")[1]
    check(got == {"balance": balance, "frozen": frozen},
          "%s: the wallet is %s" % (when, got))


def try_it(url, xid, branch, amount, op="try"):
    return ask("%s?gid=%s&trans_type=tcc&branch_id=%s&op=%s" %
               (url, xid, branch, op), {"user": "ann", "amount": amount})[0]


def play_example(tc, url):
    data = {"user": "ann", "amount": 30}
    xid = tc.begin()
    branch = tc.add(xid, url, data)
    check(try_it(url, xid, branch, 30) == 200, "try")
    check(try_it(url, xid, branch, 30) == 200, "the try again")
    wallet_is(url, 70, 30, "after the try")
    tc.end(xid, "commit")
    tc.await_shown(xid, '"Committed"')
    wallet_is(url, 70, 0, "after the commit")
    check(try_it(url, xid, branch, 30, "confirm") == 200, "confirm again")
    wallet_is(url, 70, 0, "after a second confirm")
    xid = tc.begin()
    branch = tc.add(xid, url, data)
    check(try_it(url, xid, branch, 30) == 200, "second try")
    tc.end(xid, "rollback")
    tc.await_shown(xid, '"Rollbacked"')
    wallet_is(url, 70, 0, "after the rollback")
    # The try is late: its cancel was here before it.
    xid = tc.begin()
    branch = tc.add(xid, url, data)
    tc.end(xid, "rollback")
    tc.await_shown(xid, '"Rollbacked"')
    check(try_it(url, xid, branch, 30) == 409, "a late try is refused")
    check(try_it(url, "x", "1", 1000) == 409, "too much is refused")
    check(try_it(url, "x", "1", 30, "blow") == 400, "no such op")
    wallet_is(url, 70, 0, "at the end")


def example(folder):
    wallet = subprocess.Popen(
        [os.path.join(source, "samples/other-languages/wallet.py"), "0",
         folder + "/wallet.db"], stdout=subprocess.PIPE, text=True)
    port = int(wallet.stdout.readline())
    tc = Coordinator(folder + "/example", "--http-targets",
                     "http://127.0.0.1:%d/wallet" % port)
    try:
        play_example(tc, "http://127.0.0.1:%d/wallet" % port)
    finally:
        tc.stop()
        wallet.kill()
        wallet.wait()


class Yes(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def tls_server(folder, name):
    """A server whose certificate is its own authority, for one name."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout",
         folder + "/key.pem", "-out", folder + "/cert.pem"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yes)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def commit_over_tls(folder, server, name, shown, *flags):
    url = "https://%s:%d/" % (name, server.server_port)
    tc = Coordinator(folder, "--http-targets",
                     url + " net:127.0.0.0/8 net:::1", *flags)
    try:
        xid = tc.begin()
        tc.add(xid, url + "x", {})
        tc.end(xid, "commit")
        tc.await_shown(xid, shown)
    finally:
        tc.stop()


def certificates(folder):
    cert = folder + "/cert.pem"
    server = tls_server(folder, "localhost")
    commit_over_tls(folder + "/tls1", server, "localhost", '"Committed"',
                    "--call-ca-file", cert)
    commit_over_tls(folder + "/tls2", server, "localhost", "TLS failed")
    server.shutdown()
    server = tls_server(folder, "elsewhere.example")
    commit_over_tls(folder + "/tls3", server, "localhost", "TLS failed",
                    "--call-ca-file", cert)
    server.shutdown()


def page():
    with open(source + "/docs/http-participants.md", encoding="utf-8") as file:
        text = file.read()
    with open(source + "/samples/other-languages/wallet.py",
              encoding="utf-8") as file:
        check("```python\n" + file.read() + "```" in text,
              "the example of the page is not samples/other-languages/"
              "wallet.py")


def main():
    page()
    with tempfile.TemporaryDirectory(prefix="treaty-docs-") as folder:
        example(folder)
        certificates(folder)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
