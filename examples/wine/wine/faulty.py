"""The same model with one mistake each, as they are made in earnest, to see that the gate finds it: make demo-gate

python3 -m wine.faulty live-statistics   a server that scales by what it is asked, not by what was fitted
python3 -m wine.faulty fragile           a server that malformed input brings down
python3 -m wine.faulty slow              a server that takes its time
python3 -m wine.faulty nan               an evaluation that divides by zero
python3 -m wine.faulty leak              an extraction that leaves the holdout among the rows that train
"""

import json
import os
import sys
import time

from wine import data, evaluate, extract, scaling, serve


def live_statistics() -> None:
    serve.infer = with_scaler(serve.infer, lambda request: scaling.fit(serve.rows_of(request)))
    serve.main()


def with_scaler(infer, scaler_of):
    return lambda model, scaler, request: infer(model, scaler_of(request), request)


def fragile() -> None:
    def infer(model, scaler, request, original=serve.infer):
        try:
            return original(model, scaler, request)
        except serve.BadRequest:
            os._exit(1)

    serve.infer = infer
    serve.main()


def slow() -> None:
    def infer(model, scaler, request, original=serve.infer):
        time.sleep(1.2)
        return original(model, scaler, request)

    serve.infer = infer
    serve.main()


def nan() -> None:
    evaluate.main()
    path = os.environ["ASSAY_METRICS_FILE"]
    with open(path) as file:
        metrics = json.load(file)["metrics"]
    for metric in metrics:
        if metric["name"] == "accuracy" and metric["split"] == "holdout":
            metric["value"] = float("nan")
    with open(path, "w") as file:
        json.dump({"metrics": metrics}, file)


def leak() -> None:
    extract.main()
    rows, holdout_rows, labels, holdout_labels = data.load()
    data.write(os.environ["ASSAY_OUTPUT_ROWS"], [*rows, *holdout_rows], [*labels, *holdout_labels])


MISTAKES = {"live-statistics": live_statistics, "fragile": fragile, "slow": slow, "nan": nan, "leak": leak}

if __name__ == "__main__":
    MISTAKES[sys.argv[1]]()
