"""The third step: trains on what was prepared."""

import os
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier

from wine import data

FILE = "model.joblib"


def parameter(name: str, default: str) -> str:
    return os.environ.get(f"ASSAY_PARAM_{name}", default)


def fit(rows, labels) -> RandomForestClassifier:
    model = RandomForestClassifier(
        n_estimators=int(parameter("TREES", "50")),
        max_depth=int(parameter("DEPTH", "4")),
        random_state=int(os.environ.get("ASSAY_SEED", "0")),
        n_jobs=1,
    )
    return model.fit(rows, labels)


def load(directory: str) -> RandomForestClassifier:
    return joblib.load(Path(directory) / FILE)


def main() -> None:
    rows, labels = data.read(os.environ["ASSAY_INPUT_FEATURES"])
    joblib.dump(fit(rows, labels), Path(os.environ["ASSAY_OUTPUT_MODEL"]) / FILE)


if __name__ == "__main__":
    main()
