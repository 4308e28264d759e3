"""The training loop and what it follows."""
