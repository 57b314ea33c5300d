"""An order that may be paid for a while, and is cancelled by a message that is
delivered when that time is over."""
from concurrent.futures import ThreadPoolExecutor

from matrix import check, ending, scenario, wallet_of
from stack import ask, until


def place(stack, token, user, ms=700, **more):
    answer = stack.checkout(token, user=user, item="book", quantity=3,
                            pay_within_ms=ms * stack.patience, **more)
    check(ending(answer) == "committed", str(answer))


def pay(stack, token):
    """200 or 409; asked again when it is not known."""
    body = {"token": f"{stack.mode}-{token}"}
    for _ in range(20):
        status, answer = ask("POST", stack.url["order"] + "/pay", body)
        if status in (200, 409):
            return status
    raise AssertionError(f"pay: {status} {answer}")


def time_over(stack):
    until("the time to pay to be over", lambda: not stack.transactions(), 20)


def shelf(stack):
    return stack.must("GET", "goods", "/audit")["stock"]


def cancelled(stack, before):
    """It is not there, and what it had is back."""
    now = stack.audit()
    return now["orders"] == before["orders"] and shelf(stack) == before["shelf"]


def look(stack):
    return {**stack.audit(), "shelf": shelf(stack)}


@scenario("paid in time", "bought", "delay")
def in_time(stack):
    before, money = look(stack), wallet_of(stack, "u30")
    place(stack, "in-time", "u30")
    check(shelf(stack) == before["shelf"] - 3, "it was not put aside")
    check(pay(stack, "in-time") == 200, "not paid")
    time_over(stack)
    check(wallet_of(stack, "u30") == money - 60, "not paid once")
    return "bought" if stack.audit()["orders"] == before["orders"] + 1 \
        else "cancelled all the same"


@scenario("never paid", "cancelled", "delay")
def never(stack):
    before = look(stack)
    place(stack, "never", "u31")
    time_over(stack)
    return "cancelled" if cancelled(stack, before) else "not cancelled"


@scenario("paid too late", "cancelled", "delay")
def too_late(stack):
    before, money = look(stack), wallet_of(stack, "u32")
    place(stack, "too-late", "u32", 300)
    time_over(stack)
    check(pay(stack, "too-late") == 409, "paid, though it is cancelled")
    check(wallet_of(stack, "u32") == money, "money was taken")
    return "cancelled" if cancelled(stack, before) else "not cancelled"


@scenario("balance too low to pay", "cancelled", "delay")
def poor(stack):
    before = look(stack)
    stack.add_money("beggar", 1)
    place(stack, "poor", "beggar", 500)
    check(pay(stack, "poor") == 409, "paid with nothing")
    time_over(stack)
    return "cancelled" if cancelled(stack, before) else "not cancelled"


@scenario("treatyd killed while the message waits", "cancelled", "delay")
def treatyd_killed(stack):
    before = look(stack)
    place(stack, "tc-waits", "u33", 1000)
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    check(not cancelled(stack, before), "cancelled before its time")
    time_over(stack)
    return "cancelled" if cancelled(stack, before) else "not cancelled"


def kill_in_delivery(stack, who, point, token, user):
    before = look(stack)
    stack.arm("order", point)
    place(stack, token, user, 200)
    stack.wait_held("order", point)
    # Undo rows of what is committed are deleted a moment later, many at once;
    # a killed process leaves them to a purge that comes in minutes.
    until("undo rows to be deleted",
          lambda: stack.audit()["left"]["undo rows"] == 0)
    stack.processes[who].kill()
    stack.processes[who].start()
    if who != "order":
        stack.go_on("order", point)
    time_over(stack)
    return "cancelled" if cancelled(stack, before) else "not cancelled"


@scenario("order killed before it cancels", "cancelled", "delay")
def killed_before(stack):
    return kill_in_delivery(stack, "order", "delivery", "before", "u34")


@scenario("order killed after it cancelled, unheard", "cancelled", "delay")
def killed_after(stack):
    return kill_in_delivery(stack, "order", "delivery done", "after", "u35")


@scenario("treatyd killed while it is cancelled", "cancelled", "delay")
def treatyd_killed_cancelling(stack):
    return kill_in_delivery(stack, "treatyd", "delivery", "tc", "u36")


@scenario("paid at the very moment it is cancelled", "one or the other",
          "delay")
def race(stack):
    """Ten of them; whoever is first has it, and the other one finds out."""
    before = stack.audit()["orders"]
    ms = 400
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: place(stack, f"race-{n}", f"u{n}", ms),
                      range(10)))
        until("the first to be cancelled", lambda: stack.audit()["left"][
            "unpaid orders"] < 10)
        ends = list(pool.map(lambda n: pay(stack, f"race-{n}"), range(10)))
    time_over(stack)
    bought = ends.count(200)
    check(stack.audit()["orders"] == before + bought,
          f"{bought} were told that they paid")
    stack.note = f"{bought} bought, {10 - bought} cancelled"
    return "one or the other"
