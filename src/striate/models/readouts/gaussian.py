"""The Gaussian readout: each neuron samples the feature maps at one learnt position.

Descriptions of settings end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor, nn

from striate.models.geometry import FeatureMaps
from striate.models.kernels import sample_and_project
from striate.models.readouts.adaptive_l1 import AdaptiveL1, feature_penalty
from striate.models.readouts.base import Readout, valid_coordinates
from striate.registry import Settings, readouts

_BORDER = 0.95  # largest initial position: the position network ends with a hyperbolic tangent, which never reaches 1


class GaussianSettings(Settings):
    """Settings of the Gaussian readout.

    Attributes
    ----------
    position_hidden_units
        Number of hidden units of the network that predicts the position of a neuron's receptive field in the feature
        maps from the neuron's position in cortex (2022: ``hidden_features`` in ``grid_mean_predictor``).
    offset_width
        0 leaves each neuron at the predicted position. Otherwise each has an offset of its own from it, because receptive fields of
        neighbouring neurons are scattered, and this is the standard deviation of the Gaussian prior of the offsets, before the
        hyperbolic tangent that limits positions (2022: a readout without ``grid_mean_predictor`` has free positions).
    init_sigma
        The entries of each neuron's Σ, the square root of the covariance of its sampling distribution, are initialised
        uniformly between ``-init_sigma`` and ``init_sigma`` (2022: ``init_sigma``).
    initial_features
        Initial value of all feature weights, as a multiple of 1 / channels. With 0, the features have no effect at first, so that
        early steps do not move positions that were initialised from the recordings.
    l1_weight
        Weight of the L1 penalty on the neurons' feature weights (2022: ``gamma_readout``).
    adaptive_l1_width
        0 penalises all neurons equally. Otherwise each neuron learns the strength of its penalty, and this is the standard
        deviation of the prior of its logarithm (see `striate.models.readouts.adaptive_l1.AdaptiveL1`).

    Examples
    --------
    >>> GaussianSettings(l1_weight=0.02).init_sigma
    0.1
    """

    position_hidden_units: Annotated[int, Field(ge=1, le=4096)] = 30
    offset_width: Annotated[float, Field(ge=0, le=10)] = 0.0
    init_sigma: Annotated[float, Field(ge=0, le=1)] = 0.1
    initial_features: Annotated[float, Field(ge=0, le=100)] = 1.0
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076
    adaptive_l1_width: Annotated[float, Field(ge=0, le=10)] = 0.0


def cortical_positions(coordinates: ArrayLike) -> NDArray[np.float32]:
    """Normalise horizontal cortical positions: centre them and divide them by the largest absolute value.

    Parameters
    ----------
    coordinates : (N, 2) or (N, 3)
        Cortical coordinates x, y (and z, which is ignored) of each neuron, in any unit.

    Returns
    -------
    (N, 2) array
        Positions between −1 and 1. The aspect ratio is preserved.

    Raises
    ------
    InputError
        If the array has another shape, or a coordinate is not finite.

    Examples
    --------
    >>> cortical_positions([[0, 0], [200, 0], [100, 100]]).round(2).tolist()
    [[-1.0, -0.33000001311302185], [1.0, -0.33000001311302185], [0.0, 0.6700000166893005]]
    """
    plane = valid_coordinates(coordinates)[:, :2]
    centred = plane - plane.mean(axis=0)
    largest = float(np.abs(centred).max())
    return np.asarray(centred / (largest or 1.0), dtype=np.float32)


@readouts.register("gaussian", settings=GaussianSettings)
class GaussianReadout(Readout):
    """Gaussian readout of one recording: a linear function of the feature maps at each neuron's position.

    A network predicts the mean position of a neuron from its position in cortex (retinotopy). In training, the position of
    each neuron is sampled from a Gaussian around its mean for each image, so that gradients cover a neighbourhood [1]_.

    Parameters
    ----------
    settings
        Settings of the readout.
    coordinates : (N, 2 or 3)
        Cortical coordinates of the neurons; see `cortical_positions`.
    maps
        Feature maps of the core.

    References
    ----------
    .. [1] Lurz et al. (2021), Generalization in data-driven models of primary visual cortex, ICLR.

    Examples
    --------
    >>> from striate.models.geometry import MapGeometry
    >>> maps = FeatureMaps(8, MapGeometry.identity(28, 56))
    >>> readout = GaussianReadout(GaussianSettings(), np.array([[0, 0], [1, 0], [0, 1]]), maps)
    >>> readout(torch.zeros(5, 8, 28, 56)).shape
    torch.Size([5, 3])
    """

    settings: GaussianSettings
    cortical_positions: Tensor
    bias: nn.Parameter
    uses_shift = True

    def __init__(self, settings: GaussianSettings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        super().__init__(settings, coordinates, maps)
        neurons, spread, channels = self.neurons, settings.init_sigma, maps.channels
        # torch.tensor copies the values into memory that PyTorch aligned
        self.register_buffer("cortical_positions", torch.tensor(cortical_positions(coordinates)))
        self.position_network = nn.Sequential(
            nn.Linear(2, settings.position_hidden_units), nn.ELU(), nn.Linear(settings.position_hidden_units, 2)
        )
        self.offsets = nn.Parameter(torch.zeros(neurons, 2)) if settings.offset_width else None
        self.spread = nn.Parameter(torch.empty(neurons, 2, 2).uniform_(-spread, spread))
        self.features = nn.Parameter(torch.full((neurons, channels), settings.initial_features / channels))
        self.bias = nn.Parameter(torch.zeros(neurons))
        self.sparsity = AdaptiveL1(neurons, settings.adaptive_l1_width) if settings.adaptive_l1_width else None

    def mean_positions(self) -> Tensor:
        """Return the mean position μ of each neuron in the feature maps, (N, 2): horizontal and vertical, within ±1."""
        predicted: Tensor = self.position_network(self.cortical_positions)
        return torch.tanh(predicted if self.offsets is None else predicted + self.offsets)

    def set_positions(self, positions: NDArray[np.float64]) -> None:
        """Fit the position network to the given positions in the feature maps, (N, 2); offsets stay as they are."""
        network, cortical = self.position_network, self.cortical_positions
        target = (
            torch.as_tensor(positions, dtype=torch.float32, device=cortical.device).clamp(-_BORDER, _BORDER).atanh()
        )
        optimiser = torch.optim.LBFGS(network.parameters(), max_iter=200, line_search_fn="strong_wolfe")

        def error() -> float:
            optimiser.zero_grad()
            value = (network(cortical) - target).square().mean()
            value.backward()
            return float(value.detach())

        optimiser.step(error)  # type: ignore[no-untyped-call]
        optimiser.zero_grad()

    def positions(self, images: int, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Return the positions at which neurons sample the maps: random in training mode, else the mean positions.

        Parameters
        ----------
        images
            Number of images, B.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.
        neurons : (M,), optional
            Indices of the neurons; all by default.

        Returns
        -------
        Tensor, (M, 2) or (B, M, 2)
            Positions. The first axis is missing if they are the same for all images.
        """
        positions = self.mean_positions()
        spread: Tensor = self.spread
        if neurons is not None:
            positions, spread = positions[neurons], spread[neurons]
        if self.training:
            noise = torch.randn(images, *positions.shape, dtype=positions.dtype, device=positions.device)
            drawn = positions + torch.einsum("nij,bnj->bni", spread, noise)
            positions = drawn.clamp(-1, 1)
        if shift is not None:  # after the clamp, because a shift may move a receptive field off the map
            positions = positions + shift[:, None]
        return positions

    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, M).

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        """
        positions = self.positions(len(maps), shift, neurons)
        features = self.features if neurons is None else self.features[neurons]
        bias = self.bias if neurons is None else self.bias[neurons]
        return sample_and_project(maps.to(positions.dtype), positions, features, bias)

    def regulariser(self) -> Tensor:
        """Return the L1 penalty of all feature weights (see `feature_penalty`) and the penalty of the offsets, a scalar."""
        penalty = feature_penalty(self.features, self.settings.l1_weight, self.sparsity)
        if self.offsets is not None:
            penalty = penalty + self.offsets.square().sum() / (2 * self.settings.offset_width**2)
        return penalty
