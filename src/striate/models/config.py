"""Settings of an encoder: the ``[model]`` table of a recipe."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class CoreSettings(_Settings):
    """The convolutional core that all recordings share.

    Attributes
    ----------
    layers
        Number of convolutional layers. The first is an ordinary convolution without padding, the others keep
        the size of the map.
    channels
        Feature maps of every layer.
    input_kernel_size
        Side of the (square) kernels of the first layer, in pixels of the rescaled image.
    hidden_kernel_size
        Side of the (square) kernels of the other layers, in pixels of the map.
    nonlinear
        Whether an ELU follows each layer; without, the core is linear (the LN baseline).
    depth_separable
        Whether the layers after the first factorise into point-wise, depth-wise and point-wise convolutions.
    batch_norm_momentum
        Weight of the newest batch in the running statistics of batch normalisation.
    laplace_weight
        Weight of the Laplace penalty on the first layer.
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
    def _odd(self) -> "CoreSettings":
        if self.hidden_kernel_size % 2 == 0:
            raise ValueError(
                f"hidden_kernel_size = {self.hidden_kernel_size} is even; the map keeps its size only with an odd one"
            )
        return self


class ReadoutSettings(_Settings):
    """The Gaussian readout of each recording.

    Attributes
    ----------
    position_hidden_units
        Hidden units of the network from a neuron's cortical position to its position in the map.
    init_sigma
        Entries of each neuron's Σ start uniformly within ± this.
    l1_weight
        Weight of the L1 penalty on the neurons' features.
    """

    position_hidden_units: Annotated[int, Field(ge=1, le=4096)] = 30
    init_sigma: Annotated[float, Field(ge=0, le=1)] = 0.1
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076


class ShifterSettings(_Settings):
    """The shifter of each recording: pupil centre → shift of all positions.

    Attributes
    ----------
    layers
        Number of linear layers, each with a hyperbolic tangent.
    hidden_units
        Units of the layers between the first and the last.
    """

    layers: Annotated[int, Field(ge=1, le=16)] = 3
    hidden_units: Annotated[int, Field(ge=1, le=1024)] = 5


def _off(value: Any) -> Any:
    """TOML has no null: ``shifter = false`` means none, ``shifter = true`` the usual one."""
    if value is False:
        return None
    return {} if value is True else value


class ModelSettings(_Settings):
    """An encoder: core, readouts and, where eye position is used, shifters.

    Attributes
    ----------
    core, readout
        Their settings.
    shifter
        Settings of the shifter, or none (``shifter = false`` in a recipe).
    """

    core: CoreSettings = CoreSettings()
    readout: ReadoutSettings = ReadoutSettings()
    shifter: Annotated[
        ShifterSettings | None, BeforeValidator(_off), PlainSerializer(lambda s: False if s is None else s)
    ] = None
