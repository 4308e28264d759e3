"""Video self-supervised pretraining with Similarity Contrastive Estimation."""

__version__ = "0.1.0"
