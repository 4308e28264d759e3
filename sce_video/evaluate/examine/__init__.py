"""What the features of a backbone see: similarity to changed clips, and what nearest neighbours have in common."""
