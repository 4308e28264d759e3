"""`describe.py`: what a config amounts to, without data and without a GPU."""
