"""The second step: fits the scaler on the rows that train, and applies it to them."""

import os

from wine import data, scaling


def main() -> None:
    rows, labels = data.read(os.environ["ASSAY_INPUT_ROWS"])
    scaler = scaling.fit(rows)
    scaling.save(scaler, os.environ["ASSAY_OUTPUT_SCALER"])
    data.write(os.environ["ASSAY_OUTPUT_FEATURES"], scaling.apply(scaler, rows), labels)


if __name__ == "__main__":
    main()
