"""A checkout by messages: the wallet pays in a local transaction, and who must
hear of it (order, goods, points over HTTP, notify) gets a message, exactly
once in its effect."""
import time

from matrix import Background, also, check, ending, points_of, scenario, \
    wallet_of
from stack import ask, until

also("msg", "success", "the same checkout twice", "balance too low",
     "an answer lost on the network", "a crowd at once, a fifth failing")


def effects(stack, user):
    """What an order does to others: [paid, credited, orders, told]."""
    now = stack.audit()
    return [-wallet_of(stack, user), points_of(stack, user), now["orders"],
            now["told"], -stack.must("GET", "goods", "/audit")["stock"]]


def changed(stack, user, before):
    return [a - b for a, b in zip(effects(stack, user), before)]


# A book is 20: paid, credited, one order, one told, one from the shelf.
ONCE = [20, 20, 1, 1, 1]
NOTHING = [0, 0, 0, 0, 0]


def delivered_once(stack, user, before):
    until("all to have heard of it",
          lambda: not stack.transactions())
    got = changed(stack, user, before)
    check(got == ONCE, f"paid, credited, orders, told, picked: {got}")


@scenario("user killed before its commit", "dropped", "msg")
def killed_before_commit(stack):
    before = effects(stack, "u10")
    stack.arm("user", "phase one")
    checkout = Background(stack, "before-commit", user="u10", item="book")
    xid = stack.wait_held("user", "phase one")
    stack.processes["user"].kill()
    answer = checkout.result()
    check(answer[0] == 503, f"nobody knows, but the answer is {answer}")
    stack.processes["user"].start()
    until("the message to be dropped", lambda: "Rollbacked" in (
        stack.transaction(xid) or {"status": ""})["status"])
    check(changed(stack, "u10", before) == NOTHING, "something happened")
    stack.note = "the database said: not committed"
    return "dropped"


@scenario("user killed after its commit, before it submits", "committed once",
          "msg")
def killed_before_submit(stack):
    before = effects(stack, "u11")
    stack.arm("user", "phase one done")
    checkout = Background(stack, "before-submit", user="u11", item="book")
    stack.wait_held("user", "phase one done")
    stack.processes["user"].kill()
    check(checkout.result()[0] == 503, "an answer that nobody can know")
    stack.processes["user"].start()
    again = stack.checkout("before-submit", user="u11", item="book")
    check(ending(again) == "committed", str(again))
    delivered_once(stack, "u11", before)
    stack.note = "the database said: committed"
    return "committed once"


@scenario("treatyd killed before the submit", "committed once", "msg")
def treatyd_killed_before_submit(stack):
    before = effects(stack, "u12")
    stack.arm("user", "phase one done")
    checkout = Background(stack, "tc-submit", user="u12", item="book")
    stack.wait_held("user", "phase one done")
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    stack.go_on("user", "phase one done")
    check(ending(checkout.result()) == "committed", "not answered")
    delivered_once(stack, "u12", before)
    return "committed once"


@scenario("treatyd killed while it delivers", "committed once", "msg")
def treatyd_killed_delivering(stack):
    before = effects(stack, "u13")
    stack.arm("goods", "delivery")
    checkout = Background(stack, "tc-deliver", user="u13", item="book")
    stack.wait_held("goods", "delivery")
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    stack.go_on("goods", "delivery")
    check(ending(checkout.result()) == "committed", "not answered")
    delivered_once(stack, "u13", before)
    return "committed once"


@scenario("goods killed before a delivery's commit", "committed once", "msg")
def consumer_killed_before(stack):
    before = effects(stack, "u14")
    stack.arm("goods", "phase one")
    checkout = Background(stack, "goods-before", user="u14", item="book")
    stack.wait_held("goods", "phase one")
    stack.processes["goods"].kill()
    stack.processes["goods"].start()
    check(ending(checkout.result()) == "committed", "not answered")
    delivered_once(stack, "u14", before)
    return "committed once"


@scenario("goods killed after a delivery's commit", "committed once", "msg")
def consumer_killed_after(stack):
    before = effects(stack, "u15")
    stack.arm("goods", "phase one done")
    checkout = Background(stack, "goods-after", user="u15", item="book")
    stack.wait_held("goods", "phase one done")
    stack.processes["goods"].kill()
    stack.processes["goods"].start()
    check(ending(checkout.result()) == "committed", "not answered")
    delivered_once(stack, "u15", before)
    stack.note = "delivered twice, picked once"
    return "committed once"


@scenario("the HTTP consumer's answer lost", "committed once", "msg")
def answer_lost(stack):
    before = effects(stack, "u16")
    stack.lossy_points.lose = 1
    answer = stack.checkout("points-lost", user="u16", item="book")
    check(ending(answer) == "committed", str(answer))
    delivered_once(stack, "u16", before)
    check(stack.lossy_points.lose == 0, "no answer was lost")
    stack.note = "delivered twice, credited once"
    return "committed once"


def delivery_to(stack, xid, what):
    """The number of the delivery that goes there."""
    return next(b["id"] for b in stack.transaction(xid)["branches"]
                if what in b["resource"])


@scenario("a delivery that comes again, late", "no effect", "msg")
def late(stack):
    before = effects(stack, "u17")
    stack.arm("goods", "delivery")  # so that the message is there to look at
    checkout = Background(stack, "late", user="u17", item="book")
    xid = stack.wait_held("goods", "delivery")
    query = f"?gid={xid}&trans_type=msg&op=action&branch_id=" \
            f"{delivery_to(stack, xid, 'http')}"
    again = {"user": "u17", "amount": 20}
    check(stack.post_points(query, again) == 200, "it was not taken")
    stack.go_on("goods", "delivery")
    check(ending(checkout.result()) == "committed", "not answered")
    delivered_once(stack, "u17", before)
    check(stack.post_points(query, again) == 200, "it was not taken")
    return "no effect" if changed(stack, "u17", before) == ONCE else "twice"


@scenario("notify out of service", "dead letter, then replayed", "msg")
def dead_letter(stack):
    before = effects(stack, "u18")
    stack.must("POST", "notify", "/down", {"down": 1})
    answer = stack.checkout("dead", user="u18", item="book")
    xid = answer[1]["xid"]
    until("the schedule to end", lambda: (
        stack.transaction(xid) or {}).get("hung"))
    check(changed(stack, "u18", before) == [20, 20, 1, 0, 1],
          "the others had to wait for it")
    shown = stack.treaty("message", "dead")
    check("out of service" in shown.stdout, shown.stdout)
    stack.must("POST", "notify", "/down", {"down": 0})
    time.sleep(0.5)  # nobody tries it again by itself
    check(stack.transaction(xid)["hung"], "it was tried again")
    done = stack.treaty("message", "replay", xid,
                        delivery_to(stack, xid, "notify"), "-r", "it is back")
    check(done.returncode == 0, done.stdout)
    delivered_once(stack, "u18", before)
    stack.note = "2 retries, then hung, told once after the replay"
    return "dead letter, then replayed"
