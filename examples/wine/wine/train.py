"""Trains, evaluates on the holdout and reports: python3 -m wine.train"""

import json
import os

from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wine import data, store


def parameter(name: str, default: str) -> str:
    return os.environ.get(f"ASSAY_PARAM_{name}", default)


def build(trees: int, depth: int, seed: int):
    """The scaler is part of the model, so the statistics it learns here are the ones that serve."""
    return make_pipeline(
        StandardScaler(),
        RandomForestClassifier(n_estimators=trees, max_depth=depth, random_state=seed, n_jobs=1),
    )


def evaluate(model, rows, labels, split: str) -> list[dict]:
    predicted = model.predict(rows)
    values = {
        "accuracy": accuracy_score(labels, predicted),
        "f1": f1_score(labels, predicted, average="macro"),
        "logLoss": log_loss(labels, model.predict_proba(rows), labels=range(len(data.CLASSES))),
    }
    return [
        {"name": name, "value": round(float(value), 6), "split": split, "samples": len(labels)}
        for name, value in values.items()
    ]


def main() -> None:
    trees, depth = int(parameter("TREES", "50")), int(parameter("DEPTH", "4"))
    train_rows, holdout_rows, train_labels, holdout_labels = data.load()
    model = build(trees, depth, seed=int(os.environ.get("ASSAY_SEED", "0")))
    model.fit(train_rows, train_labels)

    metrics = evaluate(model, train_rows, train_labels, "train")
    metrics += evaluate(model, holdout_rows, holdout_labels, "holdout")
    print(f"saved {store.save(model)}")
    for metric in metrics:
        print("{split:>8} {name} {value}".format(**metric))
    with open(os.environ["ASSAY_METRICS_FILE"], "w") as file:
        json.dump({"metrics": metrics}, file)


if __name__ == "__main__":
    main()
