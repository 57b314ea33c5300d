"""Modes, scenarios, and which scenario is run in which mode."""
import threading

# Where each mode can run. The order is that of the report.
MODES = {
    "at": ("embedded", "servers"),
    "tcc": ("embedded", "servers"),
    "xa": ("servers",),  # SQLite cannot prepare a transaction
    "saga": ("embedded", "servers"),
    "machine": ("embedded", "servers"),
    "msg": ("embedded", "servers"),
    "delay": ("embedded", "servers"),
    "mixed": ("embedded", "servers"),
}
SCENARIOS = []
BRIEF = {"at": 13, "tcc": 6}


class Scenario:
    """What happens to a checkout. `run(stack)` says in words how it ended, and
    raises when something on the way was not as it must be."""

    def __init__(self, name, expected, modes, settle_s, function):
        self.name, self.expectations, self.modes = name, expected, modes
        self.settle_s, self.run = settle_s, function

    def expected(self, mode):
        if isinstance(self.expectations, str):
            return self.expectations
        return self.expectations.get(mode, self.expectations.get("*"))


def scenario(name, expected, modes="at", settle_s=20):
    """`modes`: their names, separated by blanks. `expected` is how it ends, or
    how it ends in each mode: {"xa": "…", "*": "…"}, "*" being the others."""
    names = modes.split()

    def add(function):
        SCENARIOS.append(Scenario(name, expected, names, settle_s, function))
        return function
    unknown = set(names) - set(MODES)
    if unknown:
        raise ValueError(f"{name}: no such modes {unknown}")
    return add


def also(modes, *names):
    """Scenarios of other files that are run in these modes, too."""
    for name in names:
        found = [s for s in SCENARIOS if s.name == name]
        if not found:
            raise ValueError(f"no scenario {name}")
        found[0].modes += modes.split()


def choose(db, mode=None, only=None, brief=False):
    """[(mode, [scenario, …]), …] that can be run; `brief`: of each mode the
    first ones, when every process is slow."""
    found = []
    for name, where in MODES.items():
        if db in where and mode in (None, name):
            fits = [s for s in SCENARIOS
                    if name in s.modes and only in (None, s.name)]
            if brief and not only:
                fits = fits[:BRIEF.get(name, 4)]
            if fits:
                found.append((name, fits))
    return found


# ---- what scenarios are made of ----

def check(fact, text):
    if not fact:
        raise AssertionError(text)


class Background(threading.Thread):
    """A checkout that goes on while the scenario breaks things."""

    def __init__(self, stack, token, **more):
        super().__init__(daemon=True)
        self.stack, self.token, self.more = stack, token, more
        self.answer = None
        self.start()

    def run(self):
        self.answer = self.stack.checkout(self.token, **self.more)

    def result(self, seconds=60):
        self.join(seconds)
        check(self.answer, f"checkout {self.token} did not come back")
        return self.answer


def ending(answer):
    """The order service's answer as one of the words used below."""
    status, body = answer
    if status == 200:
        return "committed"
    if status == 409:
        return "rolled back"
    if status == 408:
        return "timed out"
    return f"{status} {body.get('error', '')}"


def wallet_of(stack, user):
    return stack.must("GET", "user", f"/wallet?user={user}")["balance"]


def points_of(stack, user):
    return stack.must("GET", "points", f"/points?user={user}")["points"]
