"""`doctor.py`: builds the parts of a config, measures them with `engine/doctor` and prints the report."""
