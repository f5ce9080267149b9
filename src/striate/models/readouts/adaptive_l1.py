"""L1 penalty of feature weights whose strength each neuron learns."""

import torch
from torch import Tensor, nn


class AdaptiveL1(nn.Module):
    """L1 penalty with a learnt factor β of each neuron, so that each chooses how sparse its feature weights are [1]_.

    The penalty is weight · Σ_n |β_n| Σ_c |w[n, c]| + Σ_n (log|β_n|)² / width². The second term, a log-normal prior, keeps |β| near 1.

    Parameters
    ----------
    neurons
        Number of neurons.
    width
        Standard deviation of the prior of log|β|.

    References
    ----------
    .. [1] Turishcheva et al. (2024), Reproducibility of predictive networks for mouse visual cortex, NeurIPS.

    Examples
    --------
    >>> penalty = AdaptiveL1(neurons=3, width=0.1)
    >>> _ = nn.init.ones_(penalty.factor)
    >>> penalty(torch.full((3, 4), 0.5), weight=0.1).item()
    0.6000000238418579
    """

    def __init__(self, neurons: int, width: float) -> None:
        super().__init__()
        self.width = width
        self.factor = nn.Parameter(torch.empty(neurons).normal_(1.0, 1.0))

    def forward(self, features: Tensor, weight: float) -> Tensor:
        """Return the penalty of feature weights, (N, C), a scalar."""
        strength = self.factor.abs()
        prior = strength.clamp(min=1e-6).log().square().sum() / self.width**2
        return weight * (strength[:, None] * features.abs()).sum() + prior


def feature_penalty(features: Tensor, weight: float, adaptive: AdaptiveL1 | None) -> Tensor:
    """Return the L1 penalty of feature weights, (N, C): ``weight`` times their L1 norm, or the adaptive one if there is one."""
    return weight * features.abs().sum() if adaptive is None else adaptive(features, weight)
