"""Run scenarios, print a line for each, audit, write report.json."""
import json
import os
import time
import traceback

LINE = "{mark} {name:<36} {outcome:<28} {ms:>6} ms  {note}"


def conserved(stack):
    """Money and stock are where they were, or where an order says."""
    now = stack.audit()
    return (now["money"] == stack.money_before
            and now["stock"] == stack.stock_before, now)


def run_one(stack, scenario):
    begin = time.monotonic()
    try:
        outcome = scenario.run(stack)
        note = stack.take_note()
    except Exception as e:  # a scenario that breaks is a result, not an end
        traceback.print_exc()
        outcome, note = f"broken: {type(e).__name__}", str(e)
    unfinished = stack.settle(scenario.settle_s)
    kept, audit = conserved(stack)
    row = {
        "name": scenario.name, "mode": "AT", "outcome": outcome,
        "expected": scenario.expected, "conserved": kept,
        "unfinished": unfinished,
        "ms": round((time.monotonic() - begin) * 1000),
    }
    good = outcome == scenario.expected and kept and unfinished == 0
    if not kept:
        note += f" NOT CONSERVED: {audit}"
    if unfinished:
        note += f" {unfinished} unfinished"
    print(LINE.format(mark="ok  " if good else "OFF ", note=note, **row),
          flush=True)
    return row, good


def table(rows):
    print(f"\n{'scenario':<36} {'outcome':<28} {'expected':<28} "
          f"{'conserved':<10} {'unfinished':<10} ms")
    for r in rows:
        print(f"{r['name']:<36} {r['outcome']:<28} {r['expected']:<28} "
              f"{'yes' if r['conserved'] else 'NO':<10} "
              f"{r['unfinished']:<10} {r['ms']}")


def run(stack, scenarios, path=None):
    good = True
    rows = []
    print(f"checkout on {stack.describe()}", flush=True)
    for scenario in scenarios:
        row, fine = run_one(stack, scenario)
        rows.append(row)
        good = good and fine
    now = stack.audit()
    audit = {
        "money_before": stack.money_before, "money_after": now["money"],
        "stock_before": stack.stock_before, "stock_after": now["stock"],
        "orders": now["orders"],
    }
    leftovers = now["undo_rows"]
    good = good and audit["money_before"] == audit["money_after"] \
        and audit["stock_before"] == audit["stock_after"] and leftovers == 0
    table(rows)
    print(f"\naudit: money {audit['money_before']} before, "
          f"{audit['money_after']} after (wallets + paid orders); "
          f"stock {audit['stock_before']} before, {audit['stock_after']} after "
          f"(shelf + sold); {audit['orders']} orders; "
          f"{leftovers} undo rows left")
    path = path or os.path.join(os.path.dirname(stack.build), "demo",
                                "report.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump({"scenarios": rows, "audit": audit}, f, indent=1)
        f.write("\n")
    print(f"{'all as expected' if good else 'SOMETHING IS OFF'}; "
          f"report in {os.path.relpath(path)}", flush=True)
    return good
