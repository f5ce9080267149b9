"""What a model is built from: the shapes of its inputs and the neurons that it predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from striate.data.context_settings import ContextSettings


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
    context
        Settings of the context of trials; None if batches have none.
    context_size
        Number of variables of the context of a trial.
    trials : session → T
        Number of trials of each recording; only with a context.
    measured_trials : session → M
        Number of its training and validation trials; only with a context.

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
    context: "ContextSettings | None" = None
    context_size: int = 0
    trials: Mapping[str, int] = field(default_factory=dict)
    measured_trials: Mapping[str, int] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """Number of channels of the images themselves, without planes of behaviour."""
        return self.image_shape[0] - self.behavior_planes

    @property
    def neurons(self) -> dict[str, int]:
        """Number of neurons of each recording."""
        return {session: len(coordinates) for session, coordinates in self.coordinates.items()}

    def of_session(self, session: str) -> "ModelInputs":
        """Return the inputs of one recording alone.

        Examples
        --------
        >>> import numpy as np
        >>> both = {"a": np.zeros((3, 3)), "b": np.zeros((4, 3))}
        >>> ModelInputs((1, 36, 64), both, trials={"a": 10, "b": 20}).of_session("b").trials
        {'b': 20}
        """
        trials, measured = (
            {name: count for name, count in counts.items() if name == session}
            for counts in (self.trials, self.measured_trials)
        )
        coordinates = {session: self.coordinates[session]}
        return replace(self, coordinates=coordinates, trials=trials, measured_trials=measured)
