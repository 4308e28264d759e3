"""`doctor.py`: build the parts of a config, measure them with `engine/doctor` and print the page."""
