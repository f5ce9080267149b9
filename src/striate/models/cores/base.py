"""Base class of cores."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.penalties import no_penalty
from striate.registry import Settings


class CoreSettings(Settings):
    """Base class of the settings of a core.

    Attributes
    ----------
    training_only
        Names of settings that have no effect on a core whose weights are frozen.

    Examples
    --------
    >>> class TinySettings(CoreSettings):
    ...     channels: int = 8
    >>> TinySettings().uses_behavior
    False
    """

    training_only: ClassVar[frozenset[str]] = frozenset()

    @property
    def uses_behavior(self) -> bool:
        """Whether the core takes behaviour, in addition to the images."""
        return False

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the core takes the eye position, in addition to the images."""
        return False

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the core cannot take images of this size; called when a recipe is validated."""


class Core(nn.Module, ABC):
    """Base class of cores: networks from images to feature maps that the readouts of all recordings share.

    A derived class is registered with ``@striate.registry.cores.register(name, settings=...)``, where the class of the settings
    derives from `CoreSettings`. It is called with its settings and the `ModelInputs`, and defines ``channels``, ``geometry`` and ``forward``. It must be possible to build it on the device
    ``meta``.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Attributes
    ----------
    frozen
        Whether the weights are excluded from training.

    Examples
    --------
    >>> import torch
    >>> class Pixels(Core):
    ...     channels = 1
    ...     @property
    ...     def geometry(self):
    ...         return MapGeometry.identity(*self.inputs.image_shape[1:])
    ...     def forward(self, images, behavior=None):
    ...         return images[:, :1]
    >>> core = Pixels(CoreSettings(), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(2, 1, 36, 64)).shape, core.geometry.shape
    (torch.Size([2, 1, 36, 64]), (36, 64))
    """

    frozen: bool = False

    settings: CoreSettings

    def __init__(self, settings: CoreSettings, inputs: ModelInputs) -> None:
        super().__init__()
        self.settings = settings
        self.inputs = inputs

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of feature maps."""

    @property
    @abstractmethod
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each of their locations looks in the image."""

    @abstractmethod
    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute feature maps; a core that uses neither behaviour nor eye position may leave these arguments out.

        Parameters
        ----------
        images : (B, C, height, width)
            Standardised images and constant planes of behaviour.
        behavior : (B, K), optional
            Standardised behaviour; given, by its name, only if the settings have `uses_behavior`.
        pupil_center : (B, 2), optional
            Standardised eye position; given, by its name, only if the settings have `uses_pupil_center`.

        Returns
        -------
        Tensor, (B, C, H, W)
            Feature maps: C is ``channels``, and H and W are those of ``geometry``.
        """

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """Number and geometry of the maps at each depth, from the first to the last, which are those of `forward`.

        By default there is one depth. A core that offers more overrides this property and `depth_maps`.
        """
        return (FeatureMaps(self.channels, self.geometry),)

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the feature maps of all `depths`, for readouts that combine several; arguments as those of `forward`."""
        return [self(images, **self.used_inputs(behavior, pupil_center))]

    def used_inputs(self, behavior: Tensor | None, pupil_center: Tensor | None) -> dict[str, Tensor | None]:
        """Return those of behaviour and eye position that the core uses, as keyword arguments of `forward` and `depth_maps`."""
        used: dict[str, Tensor | None] = {"behavior": behavior} if self.settings.uses_behavior else {}
        return used | ({"pupil_center": pupil_center} if self.settings.uses_pupil_center else {})

    def initialise(self) -> dict[str, Any]:
        """Load or compute initial weights before a training, and return what its provenance records; by default nothing.

        It is called neither for a core of another run nor when a model is loaded.
        """
        return {}

    def regulariser(self) -> Tensor:
        """Return the penalty that is added to the loss, a scalar; 0 for a frozen core."""
        return no_penalty(self)

    def freeze(self) -> None:
        """Exclude the weights and the statistics of batch normalisation from training."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def unfreeze(self) -> None:
        """Include the weights in training again."""
        self.frozen = False
        self.requires_grad_(True)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode; a frozen core stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self
