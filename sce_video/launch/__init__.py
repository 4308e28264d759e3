"""Ways to start a task: in this process now; processes and Slurm jobs live here too."""
