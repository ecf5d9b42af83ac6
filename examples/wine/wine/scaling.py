"""The transformation: fitted once, on the rows that train, and frozen. Evaluation and serving apply it and never fit."""

import json
import math
from pathlib import Path

from wine import data

FILE = "scaler.json"


def fit(rows) -> dict:
    """The mean and the standard deviation of each feature."""
    scaler = {}
    for index, name in enumerate(data.FEATURES):
        column = [float(row[index]) for row in rows]
        mean = math.fsum(column) / len(column)
        scale = math.sqrt(math.fsum((value - mean) ** 2 for value in column) / len(column))
        scaler[name] = {"mean": mean, "scale": scale or 1.0}
    return scaler


def apply(scaler: dict, rows) -> list[list[float]]:
    return [
        [(float(value) - scaler[name]["mean"]) / scaler[name]["scale"] for name, value in zip(data.FEATURES, row)]
        for row in rows
    ]


def save(scaler: dict, directory: str) -> None:
    (Path(directory) / FILE).write_text(json.dumps(scaler, indent=1) + "\n")


def load(directory: str) -> dict:
    return json.loads((Path(directory) / FILE).read_text())
