#!/usr/bin/env python3
"""The page, the dashboard and the alerts name the metrics that there are.

usage: metrics.py SOURCE_DIR

docs/metrics.md has every metric of tc/host/metrics_text.c with its type and
labels, and no other. What Grafana and Prometheus are given is JSON and YAML,
has what they need, and asks for nothing else, with labels that exist.
tests/live/metrics.py compares the page with what a treatyd says.
"""
import json
import os
import re
import sys

import yaml

source = sys.argv[1]
wrong = []


def read(path):
    with open(os.path.join(source, path), encoding="utf-8") as f:
        return f.read()


def page():
    """name -> (type, labels), as docs/metrics.md has them."""
    found = {}
    for name, kind, labels in re.findall(
            r"^\| `(\w+)` \| (\w+) \|(.*?)\|", read("docs/metrics.md"), re.M):
        if name in found:
            wrong.append("docs/metrics.md has %s twice" % name)
        found[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return found


def program():
    return set(re.findall(r'"((?:treaty|process)_\w+)"',
                          read("tc/host/metrics_text.c")))


SUFFIX = re.compile(r"_(bucket|sum|count)$")
# What Prometheus itself adds.
ADDED = {"instance", "job", "le"}


def check_expression(where, text, metrics):
    names = re.findall(r"(?<![\w$])((?:treaty|process)_\w+)", text)
    if not names and "up{" not in text:
        wrong.append("%s: no metric in %s" % (where, text))
    labels = set(ADDED)
    for name in names:
        plain = SUFFIX.sub("", name)
        if name in metrics and metrics[name][0] != "histogram":
            labels |= metrics[name][1]
        elif plain in metrics and metrics[plain][0] == "histogram" \
                and plain != name:
            labels |= metrics[plain][1]
        else:
            wrong.append("%s: there is no metric %s" % (where, name))
    used = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|!~|=)", text))
    for by in re.findall(r"\bby \(([^)]*)\)", text):
        used |= {label.strip() for label in by.split(",")}
    for label in used - labels:
        wrong.append("%s: no label %s in %s" % (where, label, text))
    for name in re.findall(r"(\w+)\{[^}]*\}\[|(\w+)\[", text):
        name = name[0] or name[1]
        if metrics.get(name, ("",))[0] == "gauge" and "rate(" in text:
            wrong.append("%s: the rate of a gauge, %s" % (where, name))


def check_alerts(metrics):
    rules = [rule for group in
             yaml.safe_load(read("docs/prometheus/alerts.yml"))["groups"]
             for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    if len(set(names)) != len(names) or len(names) < 8:
        wrong.append("alerts.yml: alerts are missing or named twice")
    for rule in rules:
        where = "alerts.yml, " + rule["alert"]
        check_expression(where, rule["expr"], metrics)
        if rule["labels"]["severity"] not in ("page", "ticket"):
            wrong.append(where + ": severity is page or ticket")
        for part in ("summary", "description"):
            if not rule["annotations"][part].strip():
                wrong.append("%s: no %s" % (where, part))
        if not re.fullmatch(r"\d+[smh]", rule["for"]):
            wrong.append(where + ": for is a time")


def check_dashboard(metrics):
    board = json.loads(read("docs/grafana/treaty-dashboard.json"))
    ids = [panel["id"] for panel in board["panels"]]
    if len(set(ids)) != len(ids):
        wrong.append("dashboard: two panels have one id")
    asked = 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            wrong.append("dashboard: %s is too wide" % panel["title"])
        for target in panel.get("targets", []):
            asked += 1
            check_expression("dashboard, " + panel["title"], target["expr"],
                             metrics)
    if asked < 20:
        wrong.append("dashboard: it asks for next to nothing")


def main():
    metrics, said = page(), program()
    for name in sorted(said - set(metrics)):
        wrong.append("docs/metrics.md lacks %s" % name)
    for name in sorted(set(metrics) - said):
        wrong.append("docs/metrics.md has %s, which is not there" % name)
    if len(said) < 40:
        wrong.append("metrics_text.c was not understood")
    check_alerts(metrics)
    check_dashboard(metrics)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
