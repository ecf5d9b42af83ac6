"""The last step: measures the model on rows that it has trained with, and on those that nobody has seen.

It also records what the server must answer: requests for some of those, each alone and all at once.
"""

import json
import os
from pathlib import Path

from sklearn.metrics import accuracy_score, f1_score, log_loss

from wine import data, scaling, serve, train

RECORDED_ROWS = 20


def measure(model, rows, labels, split: str) -> list[dict]:
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


def report(metrics: list[dict]) -> None:
    for metric in metrics:
        print("{split:>8} {name} {value}".format(**metric))
    with open(os.environ["ASSAY_METRICS_FILE"], "w") as file:
        json.dump({"metrics": metrics}, file)


def request(rows) -> dict:
    values = [float(value) for row in rows for value in row]
    tensor = {"name": "wine", "shape": [len(rows), len(data.FEATURES)], "datatype": "FP64", "data": values}
    return {"inputs": [tensor]}


def record(model, scaler: dict, rows) -> None:
    with open(Path(os.environ["ASSAY_OUTPUT_GOLDEN"]) / "golden.jsonl", "w") as file:
        for some in [*([row] for row in rows[:RECORDED_ROWS]), rows]:
            asked = request(some)
            line = {"path": "/v2/models/wine/infer", "request": asked, "response": serve.infer(model, scaler, asked)}
            file.write(json.dumps(line) + "\n")


def main() -> None:
    model = train.load(os.environ["ASSAY_INPUT_MODEL"])
    scaler = scaling.load(os.environ["ASSAY_INPUT_SCALER"])
    rows, labels = data.read(os.environ["ASSAY_INPUT_FEATURES"])
    metrics = measure(model, rows, labels, "train")
    rows, labels = data.read(os.environ["ASSAY_INPUT_HOLDOUT"])
    report(metrics + measure(model, scaling.apply(scaler, rows), labels, "holdout"))
    record(model, scaler, rows)


if __name__ == "__main__":
    main()
