"""Launchers of tasks: in this process, in several local processes, on several splits, on Slurm."""
