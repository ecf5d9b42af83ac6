"""The first step: gets the data, and puts the holdout apart before anybody else sees any of it."""

import os

from wine import data


def main() -> None:
    rows, holdout_rows, labels, holdout_labels = data.load()
    data.write(os.environ["ASSAY_OUTPUT_ROWS"], rows, labels)
    data.write(os.environ["ASSAY_OUTPUT_HOLDOUT"], holdout_rows, holdout_labels)
    print(f"{len(rows)} rows to train with, {len(holdout_rows)} held out")


if __name__ == "__main__":
    main()
