"""One global transaction of several modes: AT, TCC, and a step of a service
that has only HTTP, with a compensation that the coordinator calls."""
import time

from matrix import Background, also, check, ending, points_of, scenario, \
    wallet_of
from saga_scenarios import RICH, rich
from stack import until

also("mixed", "success", "the same checkout twice", "balance too low",
     "out of stock", "goods killed before the decision",
     "treatyd killed before the decision", "treatyd killed after commit",
     "treatyd killed after rollback", "timeout",
     "an answer lost on the network")


@scenario("the HTTP step refuses", "rolled back", "mixed")
def refused(stack):
    user = rich(stack)
    end = ending(stack.checkout("refused", user=user, item="book",
                                quantity=501))
    check(wallet_of(stack, user) == RICH, "the money did not come back")
    return end


@scenario("the HTTP step's answer lost, then refused", "rolled back", "mixed")
def lost_and_refused(stack):
    before = points_of(stack, "u22")
    stack.lossy_points.lose = 1
    checkout = Background(stack, "lost-points", user="u22", item="book",
                          hold_ms=30000)
    stack.wait_holding("lost-points")
    check(stack.lossy_points.lose == 0, "no answer was lost")
    check(points_of(stack, "u22") == before + 20, "not credited once")
    stack.lossy_points.lose = 1  # and that of the compensation
    stack.release("lost-points", refuse=True)
    end = ending(checkout.result())
    until("the points to be taken back",
          lambda: points_of(stack, "u22") == before)
    return end


@scenario("the HTTP service killed before the rollback", "rolled back",
          "mixed")
def points_killed(stack):
    checkout = Background(stack, "points-killed", hold_ms=30000)
    stack.wait_holding("points-killed")
    stack.processes["points"].kill()
    stack.release("points-killed", refuse=True)
    until("the rollback to begin", lambda: [
        t for t in stack.transactions() if "Rollback" in t["status"]])
    time.sleep(0.5)
    stack.processes["points"].start()
    return ending(checkout.result())


@scenario("the HTTP step comes too late", "timed out", "mixed")
def late(stack):
    """The request to act arrives when its compensation has come already."""
    before = points_of(stack, "u23")
    stack.lossy_points.hold()
    checkout = Background(stack, "late", user="u23", item="book",
                          timeout_ms=700 * stack.patience)
    until("the checkout to come to the points",
          lambda: not stack.lossy_points.hold_next)
    until("the time-out, and the compensation of what did not happen",
          lambda: not stack.transactions())
    check(points_of(stack, "u23") == before, "what never came was taken back")
    stack.lossy_points.let_go()
    end = ending(checkout.result())
    check(points_of(stack, "u23") == before, "late points were credited")
    return "timed out" if end in ("timed out", "rolled back") else end
