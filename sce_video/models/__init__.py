"""Networks: backbones with one interface, (B, C, T, H, W) -> (B, D), and heads."""
