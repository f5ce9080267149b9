"""The Huber loss: squared for small errors, absolute for large ones."""

from torch.nn import functional as F

from striate.registry import losses
from striate.training import LossSettings


class HuberSettings(LossSettings):
    """Settings of the loss ``huber``.

    Attributes
    ----------
    delta
        Error at which the loss changes from squared to absolute.
    """

    delta: float = 1.0


@losses.register("huber", settings=HuberSettings)
def huber(rates, responses, *, settings):
    """Huber loss of each neuron in each trial."""
    return F.huber_loss(rates, responses, reduction="none", delta=settings.delta)
