"""Settings of an encoder: the ``[model]`` table of a recipe.

Descriptions of keys end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class CoreSettings(_Settings):
    """Settings of the convolutional core that all recordings share.

    Attributes
    ----------
    layers
        Number of convolutional layers. The first layer is an ordinary convolution without padding; the other layers
        keep the size of the feature maps (2022: ``layers``).
    channels
        Number of feature maps of every layer (2022: ``hidden_channels``).
    input_kernel_size
        Height and width, in pixels of the rescaled image, of the kernels of the first layer (2022: ``input_kern``).
    hidden_kernel_size
        Height and width, in pixels of the feature map, of the kernels of all later layers; an odd number (2022:
        ``hidden_kern``).
    nonlinear
        Whether an ELU follows each layer. ``false`` makes the core linear, as in the LN baseline (2022: the
        opposite of ``linear``).
    depth_separable
        Whether each layer after the first is factorised into a pointwise, a depthwise and a pointwise convolution
        (2022: ``depth_separable``).
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation (2022: ``momentum``).
    laplace_weight
        Weight of the Laplace penalty, which makes the kernels of the first layer smooth (2022: ``gamma_input``).

    Examples
    --------
    >>> CoreSettings(layers=2, channels=16).hidden_kernel_size
    7
    """

    layers: Annotated[int, Field(ge=1, le=32)] = 4
    channels: Annotated[int, Field(ge=1, le=4096)] = 64
    input_kernel_size: Annotated[int, Field(ge=1)] = 9
    hidden_kernel_size: Annotated[int, Field(ge=1)] = 7
    nonlinear: bool = True
    depth_separable: bool = True
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.9
    laplace_weight: Annotated[float, Field(ge=0)] = 6.3831

    @model_validator(mode="after")
    def _check_hidden_kernel_size(self) -> "CoreSettings":
        if self.hidden_kernel_size % 2 == 0:
            raise ValueError(
                f"hidden_kernel_size = {self.hidden_kernel_size} is even; the map keeps its size only with an odd one"
            )
        return self


class ReadoutSettings(_Settings):
    """Settings of the Gaussian readout that each recording has.

    Attributes
    ----------
    position_hidden_units
        Number of hidden units of the network that predicts the position of a neuron's receptive field in the feature
        maps from the neuron's position in cortex (2022: ``hidden_features`` in ``grid_mean_predictor``).
    init_sigma
        The entries of each neuron's Σ, the square root of the covariance of its sampling distribution, are initialised
        uniformly between ``-init_sigma`` and ``init_sigma`` (2022: ``init_sigma``).
    l1_weight
        Weight of the L1 penalty on the neurons' feature weights (2022: ``gamma_readout``).

    Examples
    --------
    >>> ReadoutSettings(l1_weight=0.02).init_sigma
    0.1
    """

    position_hidden_units: Annotated[int, Field(ge=1, le=4096)] = 30
    init_sigma: Annotated[float, Field(ge=0, le=1)] = 0.1
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076


class ShifterSettings(_Settings):
    """Settings of the shifter that each recording has: it shifts all receptive fields with the position of the pupil.

    Attributes
    ----------
    layers
        Number of linear layers; a hyperbolic tangent follows each (2022: ``shift_layers``).
    hidden_units
        Number of units of each hidden layer (2022: ``hidden_channels_shifter``).

    Examples
    --------
    >>> ShifterSettings(hidden_units=10).layers
    3
    """

    layers: Annotated[int, Field(ge=1, le=16)] = 3
    hidden_units: Annotated[int, Field(ge=1, le=1024)] = 5


def _table_or_none(value: Any) -> Any:
    """Convert ``false`` to None and ``true`` to the default settings, because TOML has no null."""
    if value is False:
        return None
    return {} if value is True else value


class ModelSettings(_Settings):
    """Settings of an encoder: a core, a readout for each recording and, where eye position is used, a shifter.

    Attributes
    ----------
    core
        Settings of the core.
    readout
        Settings of the readouts.
    shifter
        Settings of the shifters. In a recipe, ``false`` means no shifter and ``true`` a shifter with default settings
        (2022: ``shifter``).

    Examples
    --------
    >>> ModelSettings(core={"channels": 16}, shifter=True).shifter
    ShifterSettings(layers=3, hidden_units=5)
    """

    core: CoreSettings = CoreSettings()
    readout: ReadoutSettings = ReadoutSettings()
    shifter: Annotated[
        ShifterSettings | None, BeforeValidator(_table_or_none), PlainSerializer(lambda s: False if s is None else s)
    ] = None
