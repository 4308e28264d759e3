"""Video lists, the pretraining data set and its loader."""
