"""Says what a comparison should count: one case a line, as JSON, on standard input; one count a line on standard output.

Written from the words of docs/api.md and not from the program, by Python's own readers of CSV and JSON.
"""
import csv
import io
import json
import sys


def records(name, text):
    """Yields the line that each record begins in, and the record."""
    if name.endswith(".csv"):
        lines = io.StringIO(text, newline="")
        header = text.split("\n", 1)[0]
        separator = max(",;\t|", key=header.count)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        columns = None
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            if not fields:
                continue
            if columns is None:
                columns = fields
            else:
                yield line, dict(zip(columns, fields))
    else:
        for line, record in enumerate(text.split("\n"), 1):
            if record.strip():
                yield line, {key: value for key, value in json.loads(record).items() if value is not None}


def value(it):
    """JSON's true is not 1, and 1.0 is."""
    if isinstance(it, bool):
        return ("bool", it)
    if isinstance(it, (int, float)):
        return ("number", float(it))
    if isinstance(it, list):
        return ("list", tuple(value(element) for element in it))
    if isinstance(it, dict):
        return ("object", tuple((name, value(it[name])) for name in sorted(it)))
    return ("text", it)


def compare(case):
    columns = {name for file, text in case["holdout"] for _, row in records(file, text) for name in row}

    def key(row):
        return tuple((name, value(row[name]) if name in row else None) for name in sorted(columns))

    rows = {}
    for file, text in case["holdout"]:
        for line, row in records(file, text):
            rows.setdefault(key(row), f"holdout/{file} line {line}")
    found = {}
    for number, files in enumerate(case["training"]):
        for file, text in files:
            for line, row in records(file, text):
                if key(row) in rows:
                    found.setdefault(key(row), f"{rows[key(row)]} is t{number}/{file} line {line}")
    return {"rows": len(rows), "overlapping": len(found), "places": list(found.values())[:5]}


for line in sys.stdin:
    print(json.dumps(compare(json.loads(line))))
