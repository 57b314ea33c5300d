"""Run scenarios, print a line for each, audit, write report.json."""
import json
import os
import time
import traceback

LINE = "{mark} {mode:<8} {name:<44} {outcome:<27} {ms:>6} ms  {note}"


def run_one(stack, mode, scenario):
    begin = time.monotonic()
    expected = scenario.expected(mode)
    try:
        outcome = scenario.run(stack)
        note = stack.take_note()
    except Exception as e:  # a scenario that breaks is a result, not an end
        traceback.print_exc()
        outcome, note = f"broken: {type(e).__name__}", str(e)
        stack.revive()
    unfinished = stack.settle(scenario.settle_s)
    audit = stack.audit()
    row = {
        "name": scenario.name, "mode": mode.upper(), "outcome": outcome,
        "expected": expected,
        # Money and stock are where they were, or where an order says.
        "conserved": stack.is_conserved(audit),
        "unfinished": unfinished,
        "ms": round((time.monotonic() - begin) * 1000),
    }
    row_good = good(row)
    if not row["conserved"]:
        note += f" NOT CONSERVED: {audit}"
    if unfinished:
        note += f" {unfinished} unfinished: {audit['left']}"
    print(LINE.format(mark="ok  " if row_good else "OFF ", note=note, **row),
          flush=True)
    return row


def good(row):
    return row["outcome"] == row["expected"] and row["conserved"] \
        and row["unfinished"] == 0


def table(rows):
    """Scenarios down, modes across; what is off is spelled out below."""
    modes = list(dict.fromkeys(r["mode"] for r in rows))
    cells = {(r["name"], r["mode"]): r for r in rows}
    print(f"\n{'scenario':<44} {'expected':<27}"
          + "".join(f"{m:>12}" for m in modes))
    names = list(dict.fromkeys(r["name"] for r in rows))
    for name, expected in sorted(
            dict.fromkeys((r["name"], r["expected"]) for r in rows),
            key=lambda line: names.index(line[0])):
        line = f"{name:<44} {expected:<27}"
        for mode in modes:
            r = cells.get((name, mode))
            if r is None or r["expected"] != expected:
                line += f"{'-':>12}"
            else:
                line += f"{('ok ' if good(r) else 'OFF ') + str(r['ms']):>12}"
        print(line)
    print("(ok: ended as expected, nothing lost or made, nothing unfinished; "
          "milliseconds)")
    for r in rows:
        if not good(r):
            print(f"OFF: {r['mode']} {r['name']}: {r['outcome']}, "
                  f"conserved {r['conserved']}, unfinished {r['unfinished']}")


def run(stack, chosen, path=None):
    rows = []
    for mode, scenarios in chosen:
        stack.use(mode)
        print(f"checkout in {mode.upper()} mode, {stack.describe()}",
              flush=True)
        rows += [run_one(stack, mode, s) for s in scenarios]
    now = stack.audit()
    audit = {
        "money_before": stack.money_before, "money_after": now["money"],
        "stock_before": stack.stock_before, "stock_after": now["stock"],
        "orders": now["orders"],
    }
    fine = all(map(good, rows)) and stack.is_conserved(now) \
        and not any(now["left"].values())
    table(rows)
    print(f"\naudit: money {audit['money_before']} before, "
          f"{audit['money_after']} after (wallets + paid orders); "
          f"stock {audit['stock_before']} before, {audit['stock_after']} after "
          f"(shelf + sold); {audit['orders']} orders; left: "
          + ", ".join(f"{n} {what}" for what, n in now["left"].items()))
    path = path or os.path.join(os.path.dirname(stack.build), "demo",
                                "report.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump({"scenarios": rows, "audit": audit}, f, indent=1)
        f.write("\n")
    print(f"{'all as expected' if fine else 'SOMETHING IS OFF'}; "
          f"report in {os.path.relpath(path)}", flush=True)
    return fine
