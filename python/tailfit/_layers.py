"""Heads as modules of PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tailfit._head import Head


class HeadModule(nn.Module):
    """A head that is more than its linear layer, and is replaced as a whole."""

    linear: nn.Linear

    @property
    def in_features(self) -> int:
        """The number of features."""
        return self.linear.in_features

    @property
    def weight(self) -> nn.Parameter:
        """The linear layer's weight."""
        return self.linear.weight


class CosineHead(HeadModule):
    """A linear layer on features divided by their norms, less a centre before."""

    def __init__(self, in_features: int, out_features: int, **kwargs):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, **kwargs)
        self.register_buffer("centre", torch.zeros(in_features, **kwargs))

    def forward(self, x):
        """Logits of features."""
        return self.linear(nn.functional.normalize(x - self.centre, dim=-1))


class GatedHead(HeadModule):
    """A linear layer z with a gate: ``z + sigmoid(gate(x)) * (scale * z + shift)``."""

    def __init__(self, in_features: int, out_features: int, **kwargs):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, **kwargs)
        self.gate = nn.Linear(in_features, 1, **kwargs)
        self.scale = nn.Parameter(torch.zeros(out_features, **kwargs))
        self.shift = nn.Parameter(torch.zeros(out_features, **kwargs))

    def forward(self, x):
        """Logits of features."""
        z = self.linear(x)
        return z + torch.sigmoid(self.gate(x)) * (self.scale * z + self.shift)


def module_of(head: Head, like) -> nn.Module:
    """A head as a module: a linear layer if it is one."""
    n_classes, dim = head.weight.shape
    if head.gate is not None and head.normalise_features:
        raise ValueError("head: expected a gate or normalised features, found both")
    kind = CosineHead if head.normalise_features else GatedHead if head.gate is not None else nn.Linear
    new = kind(dim, n_classes, **like)
    linear = getattr(new, "linear", new)
    values = [(linear.weight, head.weight), (linear.bias, head.bias)]
    if head.normalise_features and head.centre is not None:
        values.append((new.centre, head.centre))
    if head.gate is not None:
        values.append((new.gate.weight, head.gate.weight[None]))
        values.append((new.gate.bias, np.array([head.gate.bias])))
        values += [(new.scale, head.gate.scale), (new.shift, head.gate.shift)]
    with torch.no_grad():
        for tensor, array in values:
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return new
