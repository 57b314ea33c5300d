#!/usr/bin/env python3
"""A wallet that takes part in global transactions over HTTP: wallet.py PORT FILE

POST /wallet?gid=…&trans_type=…&branch_id=…&op=…   {"user": "ann", "amount": 30}
GET  /wallet/ann

TCC: try freezes the money, confirm spends it, cancel gives it back. As a saga's
step: action spends, compensate gives back. Only Python's own library is needed.
"""
import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TABLES = """
CREATE TABLE IF NOT EXISTS wallet (user TEXT PRIMARY KEY,
    balance INTEGER NOT NULL CHECK (balance >= 0),
    frozen INTEGER NOT NULL DEFAULT 0 CHECK (frozen >= 0));
CREATE TABLE IF NOT EXISTS barrier (gid TEXT, branch_id TEXT, op TEXT,
    reason TEXT, PRIMARY KEY (gid, branch_id, op));
INSERT OR IGNORE INTO wallet (user, balance) VALUES ('ann', 100);
"""
WORK = {  # what an operation does to balance and frozen
    "try": (-1, +1), "confirm": (0, -1), "cancel": (+1, -1),
    "action": (-1, 0), "compensate": (+1, 0),
}
UNDOES = {"cancel": "try", "compensate": "action"}


class Refused(Exception):
    """Never going to happen: told with 409."""


def first_time(db, gid, branch_id, op, reason):
    return db.execute("INSERT OR IGNORE INTO barrier VALUES (?, ?, ?, ?)",
                      (gid, branch_id, op, reason)).rowcount == 1


def work(db, gid, branch_id, op, user, amount):
    """In one local transaction: the barrier, then the business."""
    if op in UNDOES:
        # What was never done needs no undoing; and if it comes late, it finds
        # this row and must not be done any more.
        never_done = first_time(db, gid, branch_id, UNDOES[op], op)
        if not first_time(db, gid, branch_id, op, op) or never_done:
            return
    elif not first_time(db, gid, branch_id, op, op):
        reason, = db.execute("SELECT reason FROM barrier WHERE gid = ? AND "
                             "branch_id = ? AND op = ?",
                             (gid, branch_id, op)).fetchone()
        if reason != op:
            raise Refused("it is cancelled already")
        return  # it has been done before: a duplicate
    balance, frozen = WORK[op]
    try:
        changed = db.execute("UPDATE wallet SET balance = balance + ?, "
                             "frozen = frozen + ? WHERE user = ?",
                             (balance * amount, frozen * amount, user))
    except sqlite3.IntegrityError:
        raise Refused("not enough money") from None
    if changed.rowcount != 1:
        raise Refused("there is no such wallet")


class Wallet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that connections are kept

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            query = {k: v[0] for k, v in
                     parse_qs(urlsplit(self.path).query).items()}
            gid, branch, op = query["gid"], query["branch_id"], query["op"]
            order = json.loads(body)
            user, amount = str(order["user"]), int(order["amount"])
            if op not in WORK or amount <= 0:
                raise ValueError(op)
        except (KeyError, TypeError, ValueError) as error:
            return self.answer(400, {"error": "BadRequest",
                                     "message": repr(error)})
        db = sqlite3.connect(sys.argv[2], timeout=2, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            work(db, gid, branch, op, user, amount)
            db.execute("COMMIT")  # 200 only when this has succeeded
            self.answer(200, {"user": user, "amount": amount})
        except Refused as refused:
            self.answer(409, {"error": "Refused", "message": str(refused)})
        except sqlite3.Error as error:  # not known, or not now: again later
            self.answer(500, {"error": "Later", "message": str(error)})
        finally:
            db.close()  # what is not committed is rolled back

    def do_GET(self):
        db = sqlite3.connect(sys.argv[2], timeout=2)
        row = db.execute("SELECT balance, frozen FROM wallet WHERE user = ?",
                         (self.path.rpartition("/")[2],)).fetchone()
        db.close()
        if row:
            self.answer(200, {"balance": row[0], "frozen": row[1]})
        else:
            self.answer(404, {"error": "NotFound"})

    def log_message(self, *_):
        pass


def main():
    db = sqlite3.connect(sys.argv[2])
    db.executescript("PRAGMA journal_mode=WAL;" + TABLES)
    db.close()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Wallet)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
