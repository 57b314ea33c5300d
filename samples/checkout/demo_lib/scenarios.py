"""What happens to a checkout in AT mode, and in the modes that are like it."""
import os
import sqlite3
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

from matrix import Background, check, ending, scenario, wallet_of
from stack import until


@scenario("success", "committed", "at tcc xa")
def success(stack):
    answer = stack.checkout("success", user="u1", item="book", quantity=2)
    stack.note = f"order {answer[1].get('order')}"
    return ending(answer)


@scenario("the same checkout twice", "committed once", "at tcc xa")
def twice(stack):
    before = stack.audit()["orders"]
    first = stack.checkout("twice")
    second = stack.checkout("twice")
    check(first[1].get("order") == second[1].get("order"),
          f"two orders for one token: {first} {second}")
    stack.settle(20)
    made = stack.audit()["orders"] - before
    return "committed once" if made == 1 and second[0] == 200 \
        else f"{made} orders, {second}"


@scenario("balance too low", "rolled back", "at tcc xa")
def poor(stack):
    answer = stack.checkout("poor", user="u2", item="book", quantity=1000)
    stack.note = answer[1].get("error", "")
    return ending(answer)


@scenario("out of stock", "rolled back", "at tcc xa")
def out_of_stock(stack):
    answer = stack.checkout("greedy", user="u3", item=stack.rare, quantity=2)
    stack.note = answer[1].get("error", "")
    return ending(answer)


@scenario("goods killed before the decision", "rolled back", "at tcc xa")
def goods_killed(stack):
    checkout = Background(stack, "goods-killed", hold_ms=30000)
    stack.wait_holding("goods-killed")
    stack.processes["goods"].kill()
    stack.release("goods-killed", refuse=True)
    until("the rollback to begin", lambda: [
        t for t in stack.transactions() if "Rollback" in t["status"]])
    stack.processes["goods"].start()
    return ending(checkout.result())


@scenario("treatyd killed before the decision", "committed", "at tcc xa")
def treatyd_killed_before(stack):
    checkout = Background(stack, "tc-before", hold_ms=30000)
    stack.wait_holding("tc-before")
    stack.processes["treatyd"].kill()
    stack.release("tc-before")
    stack.processes["treatyd"].start()
    return ending(checkout.result())


@scenario("treatyd killed after commit", "committed", "at tcc xa")
def treatyd_killed_after_commit(stack):
    checkout = Background(stack, "tc-after", hold_ms=30000)
    xid = stack.wait_holding("tc-after")
    stack.processes["goods"].kill()  # keeps phase two from ending
    stack.release("tc-after")
    end = ending(checkout.result())
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    left = stack.transaction(xid)
    check(left and "Commit" in left["status"],
          f"{xid} should still be committing, is {left}")
    stack.processes["goods"].start()
    return end


@scenario("treatyd killed after rollback", "rolled back", "at tcc xa")
def treatyd_killed_after_rollback(stack):
    checkout = Background(stack, "tc-after-rb", hold_ms=30000)
    stack.wait_holding("tc-after-rb")
    stack.processes["goods"].kill()
    stack.release("tc-after-rb", refuse=True)
    until("the rollback to begin", lambda: [
        t for t in stack.transactions() if "Rollback" in t["status"]])
    stack.processes["treatyd"].kill()
    stack.processes["treatyd"].start()
    stack.processes["goods"].start()
    return ending(checkout.result())


@scenario("timeout", "timed out", "at tcc xa")
def timeout(stack):
    return ending(stack.checkout("slow", hold_ms=2000 * stack.patience,
                                 timeout_ms=1000 * stack.patience))


@scenario("two buyers of the last item", "one bought, one refused",
          "at tcc xa")
def last_item(stack):
    first = Background(stack, "last-1", user="u5", item=stack.rare,
                       hold_ms=30000)
    xid = stack.wait_holding("last-1")
    second = Background(stack, "last-2", user="u6", item=stack.rare)
    if stack.mode == "at":
        show_lock(stack, xid)
    if stack.mode == "tcc":
        second.result()  # the item is put aside: refused at once
    else:
        second.join(0.3 * stack.patience)  # let it come to the lock
        check(second.answer is None, "the second buyer did not wait")
    stack.release("last-1")
    ends = sorted([ending(first.result()), ending(second.result())])
    return "one bought, one refused" if ends == ["committed", "rolled back"] \
        else str(ends)


def show_lock(stack, xid):
    keys = [key for branch in stack.transaction(xid)["branches"]
            for key in branch["lock_keys"]]
    lock = [key for key in keys if "stock" in key and stack.rare in key]
    check(lock, f"no lock on the last item among {keys}")
    stack.note = f"lock {lock[0]} held by {xid}"


def write_wallet(stack, user, balance):
    """A foreign UPDATE: a program that knows nothing of Treaty."""
    sql = f"UPDATE wallet SET balance = {balance} WHERE user_id = '{user}'"
    dsn = stack.dsn["user"]
    if dsn.startswith("sqlite:"):
        db = sqlite3.connect(dsn[len("sqlite:"):], timeout=10)
        with db:
            db.execute(sql)
        db.close()
        return
    url = urlsplit(dsn)
    socket = parse_qs(url.query).get("socket")
    where = ["-S", socket[0]] if socket else [
        "-h", url.hostname, "-P", str(url.port)]
    subprocess.run(["mariadb", "--no-defaults", "-u", url.username or "root",
                    *where, url.path.strip("/"), "-e", sql], check=True,
                   env={**os.environ, "MYSQL_PWD": url.password or ""})


@scenario("a foreign UPDATE makes a row dirty", "hung, then repaired")
def dirty(stack):
    before = wallet_of(stack, "u7")
    checkout = Background(stack, "dirty", user="u7", item="book", quantity=3,
                          hold_ms=30000)
    xid = stack.wait_holding("dirty")
    write_wallet(stack, "u7", 77)
    stack.release("dirty", refuse=True)
    until("the branch to hang", lambda: stack.transaction(xid)["hung"])
    checkout.result()
    check(wallet_of(stack, "u7") == 77, "the foreign value was overwritten")
    branch = next(b for b in stack.transaction(xid)["branches"] if b["detail"])
    shown = stack.treaty("tx", "show", xid)
    for value in (str(before), "77"):
        check(value in shown.stdout,
              f"treaty tx show does not tell {value}:\n{shown.stdout}")
    done = stack.treaty("tx", "resolve", xid, branch["id"], "--use-undo",
                        "--reason", "the demo repairs what it broke", "--yes")
    check(done.returncode == 0, done.stdout)
    until("the repaired transaction to end",
          lambda: wallet_of(stack, "u7") == before)
    stack.note = f"balance {before}, then 77 by hand, {before} after repair"
    return "hung, then repaired"


@scenario("an answer lost on the network", {
    "*": "committed",
    # its rows are locked: asked again, user cannot look what it has done
    "xa": "rolled back, then committed"}, "at tcc xa")
def lost_answer(stack):
    before = wallet_of(stack, "u8")
    lost = stack.lossy.lost
    stack.lossy.lose = 1
    end = ending(stack.checkout("lost", user="u8", item="book", quantity=1))
    check(stack.lossy.lost == lost + 1, "no answer was lost")
    if end == "rolled back":
        end += ", then " + ending(
            stack.checkout("lost", user="u8", item="book", quantity=1))
    stack.settle(20)
    paid = before - wallet_of(stack, "u8")
    check(paid == 20, f"paid {paid} for a book of 20")
    stack.note = "asked twice, deducted once"
    return end


@scenario("a crowd at once, a fifth failing", "a fifth rolled back",
          "at tcc xa", settle_s=60)
def crowd(stack):
    # XA's row locks let one buyer of pens after the other
    size = stack.crowd // 2 if stack.mode == "xa" else stack.crowd

    def one(n):
        if n % 5 == 0:  # more than a wallet ever holds
            return stack.checkout(f"crowd-{n}", user=f"u{n % 40}",
                                  item="book", quantity=4000)
        return stack.checkout(f"crowd-{n}", user=f"u{n % 40}", item="pen")
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(one, range(size)))
    ends = Counter(map(ending, answers))
    odd = Counter(f"{status} {body.get('error')}" for n, (status, body)
                  in enumerate(answers) if status != 200 and n % 5)
    for what, n in odd.items():
        print(f"     {n} should have been committed: {what}")
    stack.note = ", ".join(f"{n} {e}" for e, n in sorted(ends.items()))
    return "a fifth rolled back" if ends == {
        "committed": size * 4 // 5, "rolled back": size // 5} \
        else "something else"
