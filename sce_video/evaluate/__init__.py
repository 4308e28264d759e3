"""Evaluation on frozen features: kNN, linear probe, retrieval."""
