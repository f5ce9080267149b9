"""What a model is built from: the shapes of its inputs and the neurons that it predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class ModelInputs:
    """Shapes of the inputs of a model, and the neurons of each recording.

    Attributes
    ----------
    image_shape
        Channels, height and width of the images, constant planes of behaviour included.
    coordinates : session → (N, 2 or 3)
        Cortical coordinates of the neurons of each recording.
    behavior_size
        Number of behaviour variables in a batch; 0 if batches have none.
    behavior_planes
        How many of the channels, the last ones, are constant planes of behaviour.

    Examples
    --------
    >>> import numpy as np
    >>> inputs = ModelInputs((4, 36, 64), {"mouse": np.zeros((100, 3))}, behavior_size=3, behavior_planes=3)
    >>> inputs.channels, inputs.neurons
    (1, {'mouse': 100})
    """

    image_shape: tuple[int, int, int]
    coordinates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    behavior_size: int = 0
    behavior_planes: int = 0

    @property
    def channels(self) -> int:
        """Number of channels of the images themselves, without planes of behaviour."""
        return self.image_shape[0] - self.behavior_planes

    @property
    def neurons(self) -> dict[str, int]:
        """Number of neurons of each recording."""
        return {session: len(coordinates) for session, coordinates in self.coordinates.items()}
