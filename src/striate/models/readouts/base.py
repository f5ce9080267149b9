"""Base class of readouts."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.models.geometry import FeatureMaps
from striate.models.penalties import no_penalty
from striate.registry import Settings


class Readout(nn.Module, ABC):
    """Base class of readouts: from the core's feature maps to the neurons of one recording.

    A derived class is registered with ``@striate.registry.readouts.register(name, settings=...)``, is called with its settings,
    the cortical coordinates of the neurons and the `FeatureMaps` of the core, and defines `forward`. It must be possible to build
    it on the device ``meta``, and one axis of each tensor that belongs to neurons must have their number as length.

    Parameters
    ----------
    settings
        Settings of the readout.
    coordinates : (N, 2 or 3)
        Cortical coordinates of the neurons.
    maps
        Feature maps of the core.

    Attributes
    ----------
    neurons
        Number of neurons, N.
    uses_shift
        Whether `forward` takes the shift of a shifter.
    uses_depths
        Whether `forward` takes the maps of each depth of the core, a list, instead of those of the last one alone. ``maps.depths``
        has their shapes.
    bias : (N,) or None
        Bias of each neuron, if there is one; training can initialise it from the mean responses.

    Examples
    --------
    >>> import torch
    >>> from striate.models import MapGeometry
    >>> class MeanReadout(Readout):
    ...     def __init__(self, settings, coordinates, maps):
    ...         super().__init__(settings, coordinates, maps)
    ...         self.features = torch.nn.Linear(maps.channels, self.neurons)
    ...     def forward(self, maps, shift=None, neurons=None):
    ...         drive = self.features(maps.mean(dim=(2, 3)))
    ...         return drive if neurons is None else drive[:, neurons]
    >>> maps = FeatureMaps(8, MapGeometry.identity(36, 64))
    >>> MeanReadout(Settings(), np.zeros((5, 3)), maps)(torch.zeros(2, 8, 36, 64)).shape
    torch.Size([2, 5])
    """

    uses_shift: bool = False
    uses_depths: bool = False
    bias: Tensor | None

    def __init__(self, settings: Settings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        super().__init__()
        self.settings = settings
        self.neurons = len(coordinates)
        self.maps = maps

    @abstractmethod
    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Compute the drive of neurons: their responses before the output nonlinearity.

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core; a list of them, one entry for each depth, if `uses_depths`.
        shift : (B, 2), optional
            Horizontal and vertical shift of all receptive fields, in units of half the map; given only if `uses_shift`.
        neurons : (M,), optional
            Indices of the neurons to compute; all by default.

        Returns
        -------
        Tensor, (B, M)
            Drive, of any sign.
        """

    def regulariser(self) -> Tensor:
        """Return the penalty that is added to the loss, a scalar."""
        return no_penalty(self)

    def mean_positions(self) -> Tensor | None:
        """Return the position of each neuron in the feature maps, (N, 2); None if neurons have no position.

        Columns: horizontal and vertical position. −1 is the centre of the first column (row) of the map, 1 that of the last.
        """
        return None

    def set_positions(self, positions: NDArray[np.float64]) -> None:
        """Initialise the positions of the neurons in the feature maps, (N, 2), as `mean_positions` returns them.

        Raises
        ------
        InputError
            If the readout cannot be initialised with positions.
        """
        raise InputError(
            f"The readout {self.settings.type or type(self).__name__!r} has no positions to initialise: set initialisation.positions = "
            '"random", or use another readout.'
        )


def valid_coordinates(coordinates: ArrayLike) -> NDArray[np.float64]:
    """Return cortical coordinates as an array.

    Raises
    ------
    InputError
        If the array is not of shape (N, 2) or (N, 3), or x or y is not finite.

    Examples
    --------
    >>> valid_coordinates([[0, 200]]).tolist()
    [[0.0, 200.0]]
    """
    values = np.asarray(coordinates, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] not in (2, 3) or len(values) == 0:
        raise InputError(f"Coordinates of neurons have shape {values.shape}; expected (neurons, 2 or 3), at least one.")
    plane = values[:, :2]
    if not np.isfinite(plane).all():
        row = int(np.flatnonzero(~np.isfinite(plane).all(axis=1))[0])
        raise InputError(
            f"The cortical position of neuron {row} is not finite ({plane[row].tolist()}); x and y are needed."
        )
    return values
