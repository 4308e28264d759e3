"""Augmentations that turn clips into views: parameters drawn per video on the CPU, applied in batch on the device."""
