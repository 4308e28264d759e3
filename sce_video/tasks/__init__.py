"""Tasks of `run_net.py`: each builds and checks what it needs, and returns the function that does the work."""
