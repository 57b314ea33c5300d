#!/usr/bin/env python3
"""Two wallets that are called by URL spend the same or nothing, while treatyd
and a wallet are killed with -9 again and again.

usage: http_money.py SOURCE_DIR TREATYD
"""
import http.client
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

source, treatyd = sys.argv[1:]
SEED = int(os.environ.get("SEED", "20261121"))
MONEY = 1000000
THREADS, EACH, KILLS = 6, 15, 5
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
GONE = (urllib.error.URLError, http.client.HTTPException, ConnectionError,
        TimeoutError)


def ask(url, document=None, key=None):
    """Status and document; repeated until somebody answers."""
    body = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    while True:
        try:
            request = urllib.request.Request(url, body, headers)
            with opener.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return error.code, json.load(error)
        except GONE:
            pass
        time.sleep(0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Process:
    """Something on a port that can be killed and started again."""

    def __init__(self, port, *command):
        self.port, self.command = port, command
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)  # tracebacks of cut connections
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("ended: %s" % (self.command,))
                time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Shop:
    def __init__(self, api, wallets):
        self.api, self.wallets = api, wallets
        self.lock = threading.Lock()
        self.xids = {}

    def spend(self, draw, number):
        amount = draw.randint(1, 50)
        data = {"user": "ann", "amount": amount}
        xid = ask(self.api, {"name": "buy", "timeout_ms": 20000})[1]["xid"]
        good = True
        for i, wallet in enumerate(self.wallets):
            status, answer = ask(
                "%s/%s/branches" % (self.api, xid),
                {"mode": "TCC", "confirm": wallet, "cancel": wallet,
                 "data": data}, "%d-%d" % (number, i))
            if status >= 400:  # the begin was lost with a crash
                break
            status, _ = ask("%s?gid=%s&trans_type=tcc&branch_id=%s&op=try" %
                            (wallet, xid, answer["branch"]), data)
            good = good and status == 200
            with self.lock:
                self.xids[xid] = amount
        else:
            how = "commit" if good and draw.random() < 0.7 else "rollback"
            ask("%s/%s/%s" % (self.api, xid, how), {})

    def run(self, thread):
        draw = random.Random(SEED + thread)
        for i in range(EACH):
            self.spend(draw, thread * EACH + i)


def disturb(draw, victims, stop):
    for _ in range(KILLS):
        if stop.wait(draw.uniform(0.2, 1.0)):
            return
        victim = draw.choice(victims)
        victim.kill()
        stop.wait(draw.uniform(0.0, 0.3))
        victim.start()


def books(folder, i):
    db = sqlite3.connect("%s/wallet%d.db" % (folder, i))
    row = db.execute("SELECT balance, frozen FROM wallet").fetchone()
    db.close()
    return row


def finished(shop):
    """What was committed in all, once everything is finished; None before."""
    total = commits = 0
    for xid, amount in shop.xids.items():
        status, answer = ask("%s/%s" % (shop.api, xid))
        if status == 404:
            continue
        if answer["status"] == "Committed":
            total += amount
            commits += 1
        elif not re.search("Rollbacked$", answer["status"]):
            return None
    print("SEED=%d: %d of %d committed" % (SEED, commits, len(shop.xids)))
    return total


def play(folder, processes):
    ports = [free_port() for _ in range(4)]
    for i in range(2):
        processes.append(Process(
            ports[i], os.path.join(source, "samples/other-languages/wallet.py"),
            str(ports[i]), "%s/wallet%d.db" % (folder, i)))
        db = sqlite3.connect("%s/wallet%d.db" % (folder, i))
        db.execute("UPDATE wallet SET balance = ?", (MONEY,))
        db.commit()
        db.close()
    processes.append(Process(
        ports[3], treatyd, "--data-dir", folder + "/tc", "--http-listen",
        "127.0.0.1:%d" % ports[3], "--agents-listen",
        "tcp://127.0.0.1:%d" % ports[2], "--log-level", "off",
        "--retry-first", "20ms", "--retry-max", "200ms", "--http-targets",
        "http://127.0.0.1:%d/wallet http://127.0.0.1:%d/wallet" %
        (ports[0], ports[1])))
    shop = Shop("http://127.0.0.1:%d/api/v1/transactions" % ports[3],
                ["http://127.0.0.1:%d/wallet" % p for p in ports[:2]])
    stop = threading.Event()
    threads = [threading.Thread(target=shop.run, args=(t,))
               for t in range(THREADS)]
    chaos = threading.Thread(
        target=disturb, args=(random.Random(SEED), processes[::2], stop))
    for t in [*threads, chaos]:
        t.start()
    for t in threads:
        t.join()
    chaos.join()
    end = time.monotonic() + 60
    while (total := finished(shop)) is None:
        if time.monotonic() > end:
            sys.exit("something is unfinished after a minute")
        time.sleep(0.2)
    if total == 0 or not shop.xids:
        sys.exit("nothing was committed: this shows nothing")
    for i in range(2):
        if books(folder, i) != (MONEY - total, 0):
            sys.exit("wallet %d has %s; %d were spent" %
                     (i, books(folder, i), total))


def main():
    processes = []
    with tempfile.TemporaryDirectory(prefix="treaty-money-") as folder:
        try:
            play(folder, processes)
        finally:
            for p in processes:
                p.kill()


main()
