"""All steps in one, for a training whose model nobody keeps: python3 -m wine.once"""

from wine import data, evaluate, scaling, train


def main() -> None:
    rows, holdout_rows, labels, holdout_labels = data.load()
    scaler = scaling.fit(rows)
    features = scaling.apply(scaler, rows)
    model = train.fit(features, labels)
    holdout = scaling.apply(scaler, holdout_rows)
    evaluate.report(
        evaluate.measure(model, features, labels, "train")
        + evaluate.measure(model, holdout, holdout_labels, "holdout")
    )


if __name__ == "__main__":
    main()
