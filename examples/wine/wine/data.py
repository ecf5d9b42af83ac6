"""The data, and the one place that says which part of it training never sees."""

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

FEATURES = tuple(load_wine().feature_names)
CLASSES = tuple(str(name) for name in load_wine().target_names)


def load():
    """Returns training rows, holdout rows, training labels, holdout labels.

    The split has a seed of its own: the holdout must stay the same whatever seed the training uses, or two runs could
    not be compared.
    """
    rows, labels = load_wine(return_X_y=True)
    return train_test_split(rows, labels, test_size=0.4, random_state=20, stratify=labels)
