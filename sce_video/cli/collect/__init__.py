"""What `collect.py` does: tables and a page of all runs below some folders."""
