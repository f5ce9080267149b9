"""Base class of shifters."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from striate.registry import Settings


class Shifter(nn.Module, ABC):
    """Base class of shifters: from the eye position to a shift of all receptive fields of a recording.

    A derived class is registered with ``@striate.registry.shifters.register(name, settings=...)``, is called with its settings,
    and defines `forward`.

    Examples
    --------
    >>> import torch
    >>> class Proportional(Shifter):
    ...     def forward(self, pupil_center):
    ...         return 0.1 * pupil_center
    >>> Proportional(Settings())(torch.ones(4, 2)).shape
    torch.Size([4, 2])
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    @abstractmethod
    def forward(self, pupil_center: Tensor) -> Tensor:
        """Compute the shift of each image.

        Parameters
        ----------
        pupil_center : (B, 2)
            Standardised horizontal and vertical eye position.

        Returns
        -------
        Tensor, (B, 2)
            Horizontal and vertical shift, in units of half the width and height of the feature maps.
        """
