"""Demo: a synthetic data set, pretraining and evaluation, in minutes."""
