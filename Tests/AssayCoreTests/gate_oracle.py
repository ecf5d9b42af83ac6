"""Says what the gate should say: one case a line, as JSON, on standard input; one list of verdicts a line on standard output.

Written from the words of docs/api.md and not from the program, with fractions, which know no rounding.
"""
import json
import re
import sys
from fractions import Fraction

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number(text):
    """None for whatever is not a finite number of double precision."""
    text = text.strip(" \t\r\n")
    if not NUMBER.fullmatch(text):
        return None
    value = Fraction(text)
    return value if abs(value) < Fraction(2) ** 1024 else None


def find(metrics, name, split):
    return next((number(m["value"]) for m in metrics if (m["name"], m["split"]) == (name, split)), None)


def better(direction, a, b):
    """By how much a is better than b."""
    return a - b if direction == "Maximize" else b - a


def holds(rule, bound, threshold, metrics, baseline):
    name, direction, split = threshold["metric"], threshold["direction"], threshold.get("split", "holdout")
    value = find(metrics, name, split)
    if value is None:
        return False
    if rule == "threshold":
        return better(direction, value, bound) >= 0
    if rule == "maxGeneralizationGap":
        train = find(metrics, name, "train")
        return train is not None and better(direction, train, value) <= bound
    if baseline is None:
        return threshold.get("whenNoBaseline") == "Pass"
    reference = find(baseline, name, split)
    if reference is None:
        return False
    gain = better(direction, value, reference)
    if rule == "minAbsoluteChange":
        return gain >= bound
    if reference == 0:
        return gain > 0 or gain == 0 and bound <= 0
    return gain / abs(reference) >= bound


RULES = ["threshold", "minAbsoluteChange", "minRelativeChange", "maxGeneralizationGap"]


def judge(case):
    rows = [
        holds(rule, Fraction(threshold[rule]), threshold, case["metrics"], case.get("baseline"))
        for threshold in case["thresholds"] for rule in RULES if rule in threshold
    ]
    if case.get("requireAttested"):
        # Nothing here was measured by anybody but the container.
        rows = [False for _ in rows]
    passed = all(rows) if rows else case.get("gate") == "None" and not case["thresholds"]
    return {"passed": passed, "rows": rows}


for line in sys.stdin:
    print(json.dumps(judge(json.loads(line))))
