"""treatyd, three services and their databases: start, kill, restart, ask."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from lossy import LossyProxy
from matrix import MODES

HERE = os.path.dirname(os.path.abspath(__file__))
USERS = 40
WALLET = 10000
ITEMS = {"pen": (5000, 3), "book": (5000, 20)}
RARE = (1, 100)  # of each mode its own


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(method, url, body=None, timeout=30):
    """(status, JSON); status 0 when no answer came."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={
        "Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        try:
            return e.code, json.load(e)
        except ValueError:
            return e.code, {}
    except (OSError, ValueError):
        return 0, {}


def until(what, check, seconds=30):
    """Wait for it; longer where everything is slow."""
    seconds *= until.patience
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = check()
        if got:
            return got
        time.sleep(0.02)
    raise TimeoutError(f"waited {seconds} s for {what}")


until.patience = 1


class Process:
    """One program that says 'NAME ready …' and may be killed and restarted."""

    def __init__(self, name, argv, log, ready):
        self.name, self.argv, self.log, self.ready = name, argv, log, ready
        self.popen = None

    def start(self):
        self.popen = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=open(self.log, "a"),
            stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until(f"{self.name} to be ready", self.is_ready)
        except TimeoutError:
            sys.stderr.write(open(self.log).read()[-3000:])
            raise

    def is_ready(self):
        if self.popen.poll() is not None:
            sys.stderr.write(open(self.log).read()[-3000:])
            raise RuntimeError(f"{self.name} ended with "
                               f"{self.popen.returncode}; log: {self.log}")
        return self.ready()

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds):
        """Politely; returns False after saying what was not well."""
        if self.popen is None:
            return True
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            status = f"kill: still there after {seconds} s"
        if status != 0:
            print(f"{self.name} ended with {status}, see {self.log}")
        return status == 0


class Shelf:
    """A database of goods. `stock` is what is in it while nobody serves it."""

    def __init__(self, dsn, filled=False):
        self.dsn, self.filled, self.stock = dsn, filled, 0


class Stack:
    def __init__(self, build, db, valgrind=False):
        self.build, self.db = build, db
        self.patience = until.patience = 10 if valgrind else 1
        self.crowd = 50 if valgrind else 200
        self.under = ["valgrind", "--quiet", "--leak-check=full",
                      "--show-leak-kinds=definite", "--error-exitcode=9",
                      "--errors-for-leak-kinds=definite"] if valgrind else []
        self.note = ""
        self.mode = "at"
        self.dir = tempfile.mkdtemp(prefix="treaty-demo-")
        os.chmod(self.dir, 0o711)  # the database servers run as other users
        self.servers = None
        self.shelves = {}
        self.processes = {}
        self.clean = True

    # ---- up and down ----

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(list(self.processes.values())):
            self.clean = process.stop(15 * self.patience) and self.clean
        if self.servers:
            self.servers.terminate()
            self.servers.wait()
        if self.clean:
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            print(f"logs are in {self.dir}")

    def start_servers(self):
        """They end with this process, however it ends."""
        script = os.path.join(HERE, "../../../scripts/servers")
        self.servers = subprocess.Popen(
            [script, "run", os.path.join(self.dir, "db"), str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        dsn = {}
        for line in self.servers.stdout:
            words = line.split()
            if words == ["ready"]:
                return dsn
            dsn[words[0]] = words[1]
        raise RuntimeError("the database servers did not start")

    def databases(self):
        files = {n: f"sqlite:{self.dir}/{n}.db"
                 for n in ("order", "user", "goods", "notify")}
        if self.db == "servers":
            servers = self.start_servers()
            files["order"] = servers["postgresql"]
            files["user"] = servers["mariadb"]
            second = servers["postgresql"].rsplit("/", 1)[0] + "/goods"
            subprocess.run(["psql", "-qX", servers["postgresql"], "-c",
                            "CREATE DATABASE goods"], check=True)
            self.shelves["postgresql"] = Shelf(second)
        self.shelves["sqlite"] = Shelf(files["goods"], filled=True)
        return files

    def start(self):
        dsn = self.databases()
        self.dsn = dsn
        ports = {n: free_port() for n in
                 ("agents", "http", "order", "user", "goods", "notify",
                  "points")}
        self.url = {n: f"http://127.0.0.1:{ports[n]}" for n in ports}
        self.agents = f"tcp://127.0.0.1:{ports['agents']}"
        self.lossy = LossyProxy(ports["user"])
        self.lossy_points = LossyProxy(ports["points"])
        points = f"http://127.0.0.1:{self.lossy_points.port}/points"
        self.add("treatyd", [
            os.path.join(self.build, "tc/host/treatyd"),
            "--data-dir", f"{self.dir}/treatyd",
            "--agents-listen", self.agents,
            "--http-listen", f"127.0.0.1:{ports['http']}",
            # who is silent for three times that is gone
            "--heartbeat", f"{self.patience}s",
            "--http-targets", points],
            lambda: ask("GET", self.url["http"] + "/readyz")[0] == 200)
        self.add("points", [
            os.path.join(HERE, "../points"), "--port", str(ports["points"]),
            "--db", f"{self.dir}/points.db"],
            lambda: ask("GET", self.url["points"] + "/audit")[0] == 200,
            under=[])
        for name in ("user", "goods", "notify", "order"):
            argv = [os.path.join(self.build, "samples/checkout",
                                 f"checkout-{name}"),
                    "--port", str(ports[name]), "--db", dsn[name],
                    "--treaty", self.agents]
            if name == "order":
                argv += ["--user", f"http://127.0.0.1:{self.lossy.port}",
                         "--goods", self.url["goods"], "--points", points]
            self.add(name, argv, lambda n=name: ask(
                "GET", self.url[n] + "/audit")[0] == 200)
        self.fill()

    def add(self, name, argv, ready, under=None):
        under = self.under if under is None else under
        self.processes[name] = Process(name, under + argv,
                                       f"{self.dir}/{name}.log", ready)
        self.processes[name].start()

    def fill(self):
        for n in range(USERS):
            self.must("POST", "user", "/wallet",
                      {"user": f"u{n}", "balance": WALLET})
        self.fill_shelf()
        now = self.audit()
        self.money_before, self.stock_before = now["money"], now["stock"]

    def fill_shelf(self):
        """How many items were put on it."""
        items = {**ITEMS, **{f"rare-{mode}": RARE for mode in MODES}}
        for item, (quantity, price) in items.items():
            self.must("POST", "goods", "/stock", {
                "item": item, "quantity": quantity, "price": price})
        return sum(quantity for quantity, _ in items.values())

    def add_money(self, user, balance):
        """One more wallet, if it is not there."""
        status, _ = ask("GET", f"{self.url['user']}/wallet?user={user}")
        if status == 404:
            self.must("POST", "user", "/wallet",
                      {"user": user, "balance": balance})
            self.money_before += balance

    @contextlib.contextmanager
    def another(self, name):
        """A second process of a service, on the same database."""
        first = self.processes[name]
        argv = list(first.argv)
        port = free_port()
        argv[argv.index("--port") + 1] = str(port)
        url = f"http://127.0.0.1:{port}/audit"
        second = Process(name, argv, f"{self.dir}/{name}-2.log",
                         lambda: ask("GET", url)[0] == 200)
        second.start()
        try:
            yield
        finally:
            self.clean = second.stop(15 * self.patience) and self.clean

    def post_points(self, query, body):
        return ask("POST", self.url["points"] + "/points" + query, body)[0]

    def use(self, mode):
        """Checkouts are in this mode from now on."""
        self.mode = mode
        wanted = self.shelves["postgresql" if mode == "xa" else "sqlite"]
        if wanted.dsn != self.dsn["goods"]:
            self.move_goods(wanted)

    def move_goods(self, to):
        """XA needs a database that can prepare transactions: there goods has
        a shelf of its own, in a second database on the PostgreSQL server."""
        here = next(s for s in self.shelves.values()
                    if s.dsn == self.dsn["goods"])
        here.stock = self.must("GET", "goods", "/audit")["stock"]
        to.stock = 0  # it is counted where it is from now on
        goods = self.processes["goods"]
        self.clean = goods.stop(15 * self.patience) and self.clean
        self.dsn["goods"] = goods.argv[goods.argv.index("--db") + 1] = to.dsn
        goods.start()
        if not to.filled:
            to.filled = True
            self.stock_before += self.fill_shelf()

    @property
    def rare(self):
        """There is one of it."""
        return f"rare-{self.mode}"

    def describe(self):
        if self.db == "embedded":
            return "three SQLite files"
        goods = "SQLite"
        if self.dsn["goods"].startswith("postgresql:"):
            goods = "another database of PostgreSQL (SQLite has no XA)"
        return f"order on PostgreSQL, user on MariaDB, goods on {goods}"

    def wait_for_enter(self):
        print("\nStill running; " + ("press Enter" if sys.stdin.isatty()
                                     else "interrupt or end this process")
              + " to stop everything.")
        for name in ("http", "order", "user", "goods", "notify", "points"):
            label = "treatyd" if name == "http" else name
            print(f"  {label:<8} {self.url[name]}")
        print(f"  agents   {self.agents}")
        for name in ("order", "user", "goods"):
            print(f"  {name + ' db':<8} {self.dsn[name]}")
        print("Try:\n"
              f"  curl -s {self.url['order']}/checkout -d '"
              '{"token":"mine","user":"u1","item":"book","quantity":2}'
              "'\n"
              f"  {os.path.join(self.build, 'tc/cli/treaty')} "
              f"--server {self.url['http']} tx list", flush=True)
        try:
            if sys.stdin.isatty():
                sys.stdin.readline()
            else:
                while True:
                    signal.pause()
        except KeyboardInterrupt:
            pass

    # ---- talking to it ----

    def must(self, method, service, path, body=None):
        status, answer = ask(method, self.url[service] + path, body)
        if status != 200:
            raise RuntimeError(f"{method} {service}{path}: {status} {answer}")
        return answer

    def checkout(self, token, user="u1", item="pen", quantity=1, **more):
        body = {"mode": self.mode, "token": f"{self.mode}-{token}",
                "user": user, "item": item, "quantity": quantity, **more}
        return ask("POST", self.url["order"] + "/checkout", body, timeout=90)

    def treaty(self, *args):
        """The command line, as an operator would type it."""
        return subprocess.run(
            [os.path.join(self.build, "tc/cli/treaty"), "--server",
             self.url["http"], *args], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)

    def transactions(self):
        status, answer = ask("GET", self.url["http"]
                             + "/api/v1/transactions?limit=1000")
        if status != 200:
            raise RuntimeError(f"list transactions: {status} {answer}")
        return answer["transactions"]

    def transaction(self, xid):
        status, answer = ask("GET", self.url["http"]
                             + f"/api/v1/transactions/{xid}")
        return answer if status == 200 else None

    @contextlib.contextmanager
    def frozen(self, name):
        """The process stands still, as its whole machine may."""
        self.processes[name].popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.processes[name].popen.send_signal(signal.SIGCONT)

    def revive(self):
        """After a scenario that broke: everything runs, nothing holds."""
        self.lossy.reset()
        for process in self.processes.values():
            if process.popen.poll() is not None:
                process.start()
        for name in ("order", "user", "goods"):
            for held in self.must("GET", name, "/holding")["holding"]:
                self.must("POST", name, "/release", {"token": held["token"]})

    def status(self, xid):
        """The name of its status, also when it has finished."""
        return (self.transaction(xid) or {}).get("status")

    # ---- breakpoints ----

    def holding(self, token, service="order"):
        """The xid of what holds there."""
        held = self.must("GET", service, "/holding")["holding"]
        return next((h["xid"] for h in held if h["token"] == token), None)

    def wait_holding(self, token):
        """… for a checkout that pauses before its decision."""
        token = f"{self.mode}-{token}"
        return until(f"checkout {token} to hold", lambda: self.holding(token))

    def release(self, token, refuse=False):
        self.must("POST", "order", "/release", {
            "token": f"{self.mode}-{token}", "refuse": 1 if refuse else 0})

    def arm(self, service, point):
        """The next one who comes to this point in the service waits there:
        "phase one" (before the local transaction's end), "phase one done",
        "phase two", "phase two done" (before the coordinator hears of it)."""
        self.must("POST", service, "/hold", {"point": point})

    def wait_held(self, service, point):
        return until(f"{service} to come to {point}",
                     lambda: self.holding(point, service))

    def how_many_hold(self, service, point):
        held = self.must("GET", service, "/holding")["holding"]
        return sum(h["token"] == point for h in held)

    def go_on(self, service, point):
        self.must("POST", service, "/release", {"token": point})

    # ---- auditing ----

    def audit(self):
        """Sums over the services: "money", "stock", "orders", and "left": what
        must be 0 when nothing is unfinished."""
        total, left = {"stock": sum(s.stock for s in self.shelves.values())}, {}
        for name in ("order", "user", "goods", "notify", "points"):
            answer = self.must("GET", name, "/audit")
            for what, n in answer.pop("left", {}).items():
                left[what] = left.get(what, 0) + n
            for what, n in answer.items():
                total[what] = total.get(what, 0) + n
        # Each order of these modes was credited once, and nothing else was.
        left["points too many or missing"] = abs(
            total["bonus"] - total["points"])
        left["orders not told, or twice"] = abs(
            total["to_tell"] - total["told"])
        return {**total, "left": left}

    def is_conserved(self, audit):
        return audit["money"] == self.money_before \
            and audit["stock"] == self.stock_before

    def settle(self, seconds):
        """Wait until nothing is unfinished; how much still is."""
        def left():
            return len(self.transactions()) + sum(
                self.audit()["left"].values())
        try:
            until("everything to finish", lambda: left() == 0, seconds)
            return 0
        except TimeoutError:
            return left()

    def take_note(self):
        note, self.note = self.note, ""
        return note
