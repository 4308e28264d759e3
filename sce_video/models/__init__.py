"""Networks: backbones behind one face, (B, C, T, H, W) -> (B, D), and the MLPs on top of them."""
