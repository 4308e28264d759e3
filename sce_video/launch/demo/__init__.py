"""The demo: a data set that is written, pretraining and evaluation, in minutes."""
