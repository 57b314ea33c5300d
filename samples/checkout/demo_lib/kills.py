"""kill -9 at known moments of both phases, in every mode; requests that come
twice or too late."""
import time

from matrix import Background, check, ending, scenario, wallet_of
from stack import until

ALL = "at tcc xa"


def rolling_back(stack):
    return [t for t in stack.transactions() if "Rollback" in t["status"]]


def kill_in_phase_one(stack, point):
    """user dies at this point of its work; the checkout cannot go on."""
    stack.arm("user", point)
    checkout = Background(stack, f"user-{point}")
    stack.wait_held("user", point)
    stack.processes["user"].kill()
    until("the rollback",
          lambda: checkout.answer or rolling_back(stack))
    stack.processes["user"].start()
    return ending(checkout.result())


@scenario("user killed before its phase one ends", "rolled back", ALL)
def killed_before_phase_one_ends(stack):
    return kill_in_phase_one(stack, "phase one")


@scenario("user killed after its phase one", "rolled back", ALL)
def killed_after_phase_one(stack):
    return kill_in_phase_one(stack, "phase one done")


def kill_in_phase_two(stack, service, point, refuse):
    """The service dies with the coordinator's command in its hands, before or
    after doing it; the command comes again."""
    token = f"{service}-{point}-{refuse}"
    checkout = Background(stack, token, hold_ms=30000)
    stack.wait_holding(token)
    stack.arm(service, point)
    stack.release(token, refuse)
    stack.wait_held(service, point)
    stack.processes[service].kill()
    stack.processes[service].start()
    return ending(checkout.result())


@scenario("goods killed before its commit", "committed", ALL)
def goods_killed_before_commit(stack):
    return kill_in_phase_two(stack, "goods", "phase two", False)


@scenario("user killed after its commit, told again", "committed", ALL)
def user_killed_after_commit(stack):
    return kill_in_phase_two(stack, "user", "phase two done", False)


@scenario("user killed before its rollback", "rolled back", ALL)
def user_killed_before_rollback(stack):
    return kill_in_phase_two(stack, "user", "phase two", True)


@scenario("goods killed after its rollback, told again", "rolled back", ALL)
def goods_killed_after_rollback(stack):
    return kill_in_phase_two(stack, "goods", "phase two done", True)


@scenario("order killed before the decision", "rolled back at its time-out",
          ALL)
def order_killed(stack):
    """Who began it is gone, so nobody will decide; the time-out does."""
    before = stack.audit()["orders"]
    checkout = Background(stack, "order-killed", hold_ms=30000,
                          timeout_ms=2000 * stack.patience)
    xid = stack.wait_holding("order-killed")
    stack.processes["order"].kill()
    stack.processes["order"].start()
    check(checkout.result()[0] == 0, "a killed service has answered")
    until("the time-out", lambda: stack.status(xid) == "TimeoutRollbacked")
    stack.settle(20)
    made = stack.audit()["orders"] - before
    return "rolled back at its time-out" if made == 0 else f"{made} orders"


@scenario("treatyd killed in phase one", "committed", ALL)
def treatyd_killed_in_phase_one(stack):
    stack.arm("user", "phase one")
    checkout = Background(stack, "tc-one")
    stack.wait_held("user", "phase one")
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    stack.go_on("user", "phase one")
    return ending(checkout.result())


def treatyd_killed_in_phase_two(stack, refuse):
    """goods has a command in its hands when treatyd dies; the restarted one
    sends it again while the first is still being worked on."""
    token = f"tc-two-{refuse}"
    checkout = Background(stack, token, hold_ms=30000)
    stack.wait_holding(token)
    stack.arm("goods", "phase two")
    stack.release(token, refuse)
    stack.wait_held("goods", "phase two")
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    time.sleep(0.3)  # for the second command, if it comes at once
    stack.go_on("goods", "phase two")
    return ending(checkout.result())


@scenario("treatyd killed during commit", "committed", ALL)
def treatyd_killed_in_commit(stack):
    return treatyd_killed_in_phase_two(stack, False)


@scenario("treatyd killed during rollback", "rolled back", ALL)
def treatyd_killed_in_rollback(stack):
    return treatyd_killed_in_phase_two(stack, True)


@scenario("commands that come after the end", "committed, rolled back", ALL)
def late_commands(stack):
    """goods freezes with two commands in its hands, another process of goods
    does them, both transactions end; then the first one wakes up and does
    them, too."""
    commit = Background(stack, "late-commit", hold_ms=30000)
    rollback = Background(stack, "late-rollback", user="u2", item="book",
                          hold_ms=30000)
    for token, refuse in (("late-commit", False), ("late-rollback", True)):
        stack.wait_holding(token)
        stack.arm("goods", "phase two")
        stack.release(token, refuse)
    until("both commands to come",
          lambda: stack.how_many_hold("goods", "phase two") == 2)
    with stack.another("goods"), stack.frozen("goods"):
        until("the other goods to end both",
              lambda: not stack.transactions())
    stack.go_on("goods", "phase two")
    return f"{ending(commit.result())}, {ending(rollback.result())}"


@scenario("a request that comes twice", "committed once", ALL)
def request_twice(stack):
    before = wallet_of(stack, "u9")
    stack.lossy.doubled = []
    stack.lossy.double = 1
    # Others' own memory of tokens cannot cope with both in one moment; then
    # one is refused, and the checkout with it. The barrier can.
    stack.lossy.at_once = stack.mode == "tcc"
    end = ending(stack.checkout("double", user="u9", item="book"))
    check(len(stack.lossy.doubled) == 1, "no request came twice")
    stack.settle(20)
    paid = before - wallet_of(stack, "u9")
    stack.note = f"the second was answered {stack.lossy.doubled[0]}"
    if end == "committed" and paid == 20:
        return "committed once"
    return end if paid == 0 else f"{end}, paid {paid}"


@scenario("a request that comes after the end", "rolled back, refused late",
          ALL)
def request_late(stack):
    """order gives up on user, whose work must never happen any more."""
    before = wallet_of(stack, "u10")
    stack.lossy.keeping = True
    end = ending(stack.checkout("late", user="u10", item="book"))
    stack.settle(20)
    answers = stack.lossy.deliver_late()
    check(answers, "no request was kept")
    check(wallet_of(stack, "u10") == before, "a late request took money")
    stack.note = f"answered {answers}"
    refused = all(status == 409 for status in answers)
    return f"{end}, refused late" if refused else f"{end}, {answers}"
