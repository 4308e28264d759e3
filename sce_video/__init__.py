"""Video self-supervised pretraining with Similarity Contrastive Estimation."""
