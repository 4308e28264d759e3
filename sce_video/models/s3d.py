"""torchvision's S3D for clips of any length."""

from torch import Tensor, nn
from torch.nn import functional as F

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone


class ShortClipMaxPool3d(nn.Module):
    """nn.MaxPool3d(2) that also accepts a single frame.

    S3D has one such pool, without padding; clips of 1 to 4 frames have only one frame left there, too few for
    nn.MaxPool3d. With two or more frames the result is the same.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, max(T // 2, 1), H // 2, W // 2)."""
        return F.max_pool3d(maps, (min(maps.shape[2], 2), 2, 2), stride=2)


def s3d(input: NetworkInput) -> PooledBackbone:
    """torchvision's S3D (arXiv:1712.04851), 1,024 features; names `features.*`.

    torchvision averages windows of 2x7x7 and then their averages; here one mean is taken over all frames and pixels.
    The two are the same when the last map is a single window: 16 frames of 224x224. Its batch norms are torch's (eps
    1e-5, momentum 0.1), as in CoCLR and SCE's reference code; converted weights have torchvision's (norms.py).
    """
    from torchvision.models import video  # three seconds of every program's start

    model = video.s3d(weights=None, norm_layer=nn.BatchNorm3d)
    (short_pool,) = (
        index
        for index, part in enumerate(model.features)
        if isinstance(part, nn.MaxPool3d) and part.kernel_size == (2, 2, 2)
    )
    model.features[short_pool] = ShortClipMaxPool3d()
    feature_dim = model.classifier[1].in_channels
    return PooledBackbone({"features": model.features}, feature_dim=feature_dim, input=input)
