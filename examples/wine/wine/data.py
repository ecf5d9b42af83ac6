"""The data, and the one place that says which part of it training never sees."""

import csv
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

FEATURES = tuple(load_wine().feature_names)
CLASSES = tuple(str(name) for name in load_wine().target_names)
FILE = "rows.csv"


def load():
    """Returns training rows, holdout rows, training labels, holdout labels.

    The split has a seed of its own: the holdout must stay the same whatever seed the training uses, or two runs could
    not be compared.
    """
    rows, labels = load_wine(return_X_y=True)
    return train_test_split(rows, labels, test_size=0.4, random_state=20, stratify=labels)


def write(directory: str, rows, labels) -> None:
    """Writes rows.csv: a column for each feature, and the label. The numbers are read again as the same numbers."""
    with open(Path(directory) / FILE, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*FEATURES, "label"])
        for row, label in zip(rows, labels):
            table.writerow([*(repr(float(value)) for value in row), int(label)])


def read(directory: str):
    """Returns the rows and labels of a directory that was written so."""
    with open(Path(directory) / FILE, newline="") as file:
        table = csv.reader(file)
        columns = next(table)
        if columns != [*FEATURES, "label"]:
            raise ValueError(f"{FILE} has the columns {columns}")
        lines = [([float(value) for value in line[:-1]], int(line[-1])) for line in table]
    return [row for row, _ in lines], [label for _, label in lines]
