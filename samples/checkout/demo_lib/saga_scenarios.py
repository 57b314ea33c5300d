"""What happens to a checkout that is a saga: a graph of steps or a state
machine, whose steps are services with Treaty's library and one with only HTTP.
"""
import os
import signal
import time

from matrix import Background, also, check, ending, points_of, scenario, \
    wallet_of
from stack import until

BOTH = "saga machine"
RICH = 100000

also(BOTH, "success", "the same checkout twice", "balance too low",
     "out of stock")
also("saga", "a crowd at once, a fifth failing")


def rich(stack):
    """Somebody with so much money that points are refused, not the payment."""
    user = f"rich-{stack.mode}"
    stack.add_money(user, RICH)
    return user


def refused_late(stack, token, **more):
    """A checkout whose goods and money are there, and whose points are refused:
    both must be given back."""
    return Background(stack, token, user=rich(stack), item="book",
                      quantity=501, **more)


def kill_at(stack, service, point, token, **more):
    """Kill the service when it comes there, and start it again."""
    stack.arm(service, point)
    checkout = more.pop("checkout", Background)(stack, token, **more)
    stack.wait_held(service, point)
    stack.processes[service].kill()
    stack.processes[service].start()
    return ending(checkout.result())


def kill_treatyd_at(stack, service, point, token, **more):
    stack.arm(service, point)
    checkout = more.pop("checkout", Background)(stack, token, **more)
    stack.wait_held(service, point)
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    stack.go_on(service, point)
    return ending(checkout.result())


@scenario("goods killed before its step's commit", "committed", BOTH)
def killed_before(stack):
    return kill_at(stack, "goods", "phase one", "goods-before")


@scenario("goods killed after its step's commit", "committed", BOTH)
def killed_after(stack):
    before = stack.audit()
    end = kill_at(stack, "goods", "phase one done", "goods-after", quantity=7)
    picked = stack.must("GET", "goods", "/audit")["stock"]
    stack.note = "the repeated call picked nothing"
    check(stack.audit()["orders"] == before["orders"] + 1, "not one order")
    check(picked is not None, "no audit")
    return end


@scenario("the HTTP step refuses", "rolled back", BOTH)
def refused(stack):
    user = rich(stack)
    end = ending(refused_late(stack, "refused").result())
    check(wallet_of(stack, user) == RICH, "the money did not come back")
    check(points_of(stack, user) == 0, "points were credited")
    return end


@scenario("user killed while it gives back", "rolled back", BOTH)
def killed_undoing(stack):
    user = rich(stack)
    end = kill_at(stack, "user", "undo", "undo", checkout=refused_late)
    check(wallet_of(stack, user) == RICH, "the money did not come back once")
    return end


@scenario("user killed after it gave back", "rolled back", BOTH)
def killed_undone(stack):
    user = rich(stack)
    end = kill_at(stack, "user", "undo done", "undone", checkout=refused_late)
    check(wallet_of(stack, user) == RICH, "the money did not come back once")
    return end


@scenario("treatyd killed during a step", "committed", BOTH)
def treatyd_killed(stack):
    return kill_treatyd_at(stack, "user", "phase one", "tc-step")


@scenario("treatyd killed while undoing", "rolled back", BOTH)
def treatyd_killed_undoing(stack):
    return kill_treatyd_at(stack, "user", "undo", "tc-undo",
                           checkout=refused_late)


@scenario("order killed while it waits", "committed once", BOTH)
def order_killed(stack):
    before = stack.audit()["orders"]
    stack.arm("user", "phase one")
    Background(stack, "order-killed")
    stack.wait_held("user", "phase one")
    stack.processes["order"].kill()
    stack.processes["order"].start()
    stack.go_on("user", "phase one")
    again = stack.checkout("order-killed")
    check(stack.audit()["orders"] == before + 1, "not one order")
    return "committed once" if ending(again) == "committed" else str(again)


@scenario("the HTTP step's answer lost", "committed", BOTH)
def answer_lost(stack):
    user = f"u{20 if stack.mode == 'saga' else 21}"
    before = points_of(stack, user)
    stack.lossy_points.lose = 1
    end = ending(stack.checkout("points-lost", user=user, item="book"))
    check(stack.lossy_points.lose == 0, "no answer was lost")
    check(points_of(stack, user) == before + 20, "not credited once")
    stack.note = "asked twice, credited once"
    return end


@scenario("the HTTP service down for a while", "committed", BOTH)
def points_down(stack):
    stack.processes["points"].kill()
    checkout = Background(stack, "points-down")
    time.sleep(0.5)
    stack.processes["points"].start()
    return ending(checkout.result())


@scenario("the deadline passes", "timed out", BOTH)
def deadline(stack):
    stack.processes["points"].kill()
    checkout = Background(stack, "deadline",
                          timeout_ms=1000 * stack.patience)
    until("the saga to turn back", lambda: [
        t for t in stack.transactions() if "Rollback" in t["status"]])
    stack.processes["points"].start()
    return ending(checkout.result())


@scenario("an operator turns it back", "rolled back", BOTH)
def turned_back(stack):
    stack.processes["points"].kill()
    checkout = Background(stack, "operator")
    xid = until("the saga to be under way", lambda: next(
        (t["xid"] for t in stack.transactions()), None))
    done = stack.treaty("saga", "compensate", xid, "-r", "no points today")
    check(done.returncode == 0, done.stdout)
    stack.processes["points"].start()
    end = ending(checkout.result())
    shown = stack.treaty("tx", "show", xid).stdout
    check("no points today" in shown, f"the reason is not told:\n{shown}")
    return end


def replay(stack, xid, branch, op):
    """What a network does: the very request again, later."""
    return stack.post_points(
        f"?gid={xid}&trans_type=saga&branch_id={branch}&op={op}",
        {"user": "u30", "amount": 50})


@scenario("calls that come twice and too late", "no effect", BOTH)
def late(stack):
    gid = f"tc:1:{1 + BOTH.split().index(stack.mode)}"
    before = points_of(stack, "u30")
    check(replay(stack, gid, 1, "action") == 200, "action")
    check(replay(stack, gid, 1, "action") == 200, "the same action")
    check(points_of(stack, "u30") == before + 50, "not credited once")
    check(replay(stack, gid, 1, "compensate") == 200, "undo")
    check(replay(stack, gid, 1, "compensate") == 200, "the same undo")
    check(replay(stack, gid, 1, "action") == 200, "the action again")
    check(replay(stack, gid, 2, "compensate") == 200, "nothing to undo")
    check(replay(stack, gid, 2, "action") == 409, "a late action")
    return "no effect" if points_of(stack, "u30") == before else "some"


@scenario("an action that wakes up after its undoing", "timed out", "saga")
def suspended(stack):
    """goods stands still with the call in its hands until the deadline is over;
    another goods, which starts then, undoes what has not happened yet; then it
    must not happen."""
    before = stack.audit()
    stack.arm("goods", "action")
    checkout = Background(stack, "late", item="book", quantity=9,
                          timeout_ms=1000 * stack.patience,
                          call_ms=500 * stack.patience)
    stack.wait_held("goods", "action")
    os.kill(stack.processes["goods"].popen.pid, signal.SIGSTOP)
    try:
        time.sleep(1.2 * stack.patience)
        with stack.another("goods"):
            end = ending(checkout.result())
    finally:
        os.kill(stack.processes["goods"].popen.pid, signal.SIGCONT)
    check(stack.holding("action", "goods"), "the action did not wait")
    stack.go_on("goods", "action")
    time.sleep(0.3 * stack.patience)
    check(stack.audit()["stock"] == before["stock"], "it was picked all the same")
    return end
