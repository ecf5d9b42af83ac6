"""Classifies wines by cultivar: 178 samples of 13 chemical measurements (UCI, shipped with scikit-learn)."""
