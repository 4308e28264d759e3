"""`tools/doctor.py`: reads the config, has its parts built and measured by `engine/doctor`, prints the page."""
