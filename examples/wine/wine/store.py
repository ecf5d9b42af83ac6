"""Where a run leaves its model: /models/<run>/model.joblib on a volume that training and serving both mount."""

import os
from pathlib import Path

import joblib

ROOT = Path(os.environ.get("MODEL_ROOT", "/models"))


def path() -> Path:
    return ROOT / os.environ["ASSAY_RUN"] / "model.joblib"


def save(model) -> Path:
    """Writes the model under its final name only once it is whole."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    joblib.dump(model, partial)
    partial.replace(target)
    return target


def load():
    return joblib.load(path())
