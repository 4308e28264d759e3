"""Backbone with a linear classifier, for finetuning and its evaluation."""

from torch import Tensor, nn

from sce_video.models.base import Backbone, require_whole_blocks

_WEIGHT_STD = 0.01


class Classifier(nn.Module):
    """Backbone, dropout, linear layer: views (B, C, T, H, W) -> logits (B, num_classes).

    The linear layer is initialised with N(0, 0.01) and bias 0, as in SCE's and SlowFast's finetuning. Frozen blocks do
    not change, including the running statistics of their batch norms.

    Args:
        dropout: probability, in [0, 1), of dropping a feature in training.
        num_trained_blocks: how many of the backbone's last blocks are trained; 0 trains the linear layer only.
    Raises:
        ValueError: the backbone has fewer blocks, or a parameter that is not in exactly one of them.
    """

    def __init__(self, backbone: Backbone, *, num_classes: int, dropout: float, num_trained_blocks: int) -> None:
        super().__init__()
        require_whole_blocks(backbone)
        blocks = backbone.blocks_in_order()
        if not 0 <= num_trained_blocks <= len(blocks):
            raise ValueError(f"num_trained_blocks is {num_trained_blocks}; the backbone has {len(blocks)} blocks")
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(backbone.feature_dim, num_classes)
        nn.init.normal_(self.linear.weight, std=_WEIGHT_STD)
        nn.init.zeros_(self.linear.bias)
        self._num_frozen = len(blocks) - num_trained_blocks
        for block in blocks[: self._num_frozen]:
            block.requires_grad_(False)

    @property
    def layers(self) -> list[nn.Module]:
        """The backbone's blocks and the linear layer, in the order of application."""
        return [*self.backbone.blocks_in_order(), self.linear]

    def train(self, mode: bool = True) -> "Classifier":
        super().train(mode)
        for block in self.backbone.blocks_in_order()[: self._num_frozen]:
            block.eval()
        return self

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(self.backbone(views)))
        return logits
