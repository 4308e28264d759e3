"""What can be asked for: each task builds what it needs, refuses what cannot be used, and gives back the work."""
