"""A gain that changes slowly over the session: by the behaviour of neighbouring trials, and by a smooth function of time."""

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from striate.errors import InputError
from striate.models.inputs import ModelInputs
from striate.models.modulators.base import Modulator, ModulatorSettings, bounded_gain
from striate.registry import modulators

if TYPE_CHECKING:
    from striate.data.context import Context
    from striate.data.context_settings import ContextSettings

_OTHER_COUPLINGS_STD = 0.1  # initial couplings to latent gains but the first


class SlowGainSettings(ModulatorSettings):
    """Settings of the modulator ``slow_gain``.

    Attributes
    ----------
    time_constants
        Time constants, in trials, of the exponentially weighted means of behaviour over the neighbouring trials. An empty list uses no
        behaviour.
    past_only
        Whether only earlier trials are used, and not later ones.
    latents
        Number of gains that the neurons of a recording share.
    drift_trials
        Distance, in trials, of the knots of a cubic B-spline over the session that is added to each shared gain. It describes changes
        that behaviour does not show. 0 leaves it out. It needs recordings whose trial order is known.
    l2_weight
        Weight of the L2 penalty on the weights of behaviour.
    coupling_weight
        Weight of the L2 penalty on the deviation of the neurons' couplings from 1 (first shared gain) or 0 (others).
    drift_weight
        Weight of the penalty on the squared differences between neighbouring knots of the spline.

    Examples
    --------
    >>> SlowGainSettings(time_constants=[20], past_only=True).uses_context
    True
    """

    time_constants: Annotated[
        tuple[Annotated[float, Field(ge=0.5, le=10_000)], ...],
        Field(max_length=16),
    ] = (10.0, 30.0)
    past_only: bool = False
    latents: Annotated[int, Field(ge=1, le=256)] = 1
    drift_trials: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    l2_weight: Annotated[float, Field(ge=0)] = 1.0
    coupling_weight: Annotated[float, Field(ge=0)] = 10.0
    drift_weight: Annotated[float, Field(ge=0)] = 10.0

    @property
    def uses_behavior(self) -> bool:
        """Whether the modulator takes the behaviour of the trial: not beside that of the context."""
        return False

    @property
    def uses_context(self) -> bool:
        """Whether the modulator takes the context of the trial."""
        return True

    def check_context(self, context: "ContextSettings") -> None:
        """Raise `InputError` if the context lacks what the modulator uses."""
        if not self.time_constants and not self.drift_trials:
            raise InputError(
                "[[model.modulators]] 'slow_gain' has neither time_constants nor drift_trials, so that it does nothing: give one of them."
            )
        if not self.time_constants:
            return
        if not context.past:
            raise InputError(
                "[[model.modulators]] 'slow_gain' uses the behaviour of earlier trials, but data.context.past is 0: set it to about three "
                f"times the longest time constant, such as {round(3 * max(self.time_constants))}."
            )
        if not self.past_only and not context.future:
            raise InputError(
                "[[model.modulators]] 'slow_gain' uses the behaviour of later trials, but data.context.future is 0: set it too, or set "
                "past_only = true."
            )


@modulators.register("slow_gain", settings=SlowGainSettings)
class SlowGainModulator(Modulator):
    """Multiplies each neuron's rate by a gain that changes slowly over the session, as arousal and brain state do.

    The gain of neuron n in trial t is ``exp(Σ_l c[n, l] · (w[l] · x(t) + d[l](t)))``, where x(t) are the behaviour
    of trial t and its exponentially weighted means over the trials before and after it, d is a spline over the session, and c are the
    neurons' couplings to the L shared gains. Exponents are bounded by ±3. The gain is 1 before training, and for the average context of a
    session.

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs, with a context of trials.
    neurons
        Number of neurons.

    Raises
    ------
    InputError
        If the inputs have no context.

    References
    ----------
    The learnt gain of the model that won SENSORIUM+ 2022 has one value for each trial, smoothed over earlier trials. Here behaviour may
    explain part of it, and the spline replaces the values of single trials.

    Examples
    --------
    >>> from striate.data import Context, ContextSettings
    >>> window = ContextSettings(past=30, future=30)
    >>> inputs = ModelInputs((1, 36, 64), behavior_size=3, context=window, context_size=3, trials={"mouse": 100})
    >>> gain = SlowGainModulator(SlowGainSettings(), inputs, neurons=2)
    >>> gain.modulate_rates(torch.ones(1, 2), torch.ones(1, 3), None, Context.average(1, window, size=3)).tolist()
    [[1.0, 1.0]]
    """

    settings: SlowGainSettings

    def __init__(self, settings: SlowGainSettings, inputs: ModelInputs, neurons: int) -> None:
        super().__init__(settings, inputs, neurons)
        if inputs.context is None:
            raise InputError(
                "The modulator 'slow_gain' uses the trials around each trial: build it with inputs that have a context."
            )
        self.register_buffer("_kernels", _kernels(settings, inputs.context), persistent=False)
        features = inputs.context_size * len(self._kernels)
        knots = _knots(sum(inputs.trials.values()), settings.drift_trials)
        self.weights = nn.Parameter(torch.zeros(features, settings.latents)) if features else None
        self.drift = nn.Parameter(torch.zeros(knots, settings.latents)) if knots else None
        couplings = torch.empty(neurons, settings.latents)
        nn.init.normal_(couplings, std=_OTHER_COUPLINGS_STD)
        couplings[:, 0] = 1.0
        self.couplings = nn.Parameter(couplings)

    _kernels: Tensor  # (number of weighted means, W)

    def modulate_rates(
        self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Multiply rates, (B, M), by their gains."""
        assert context is not None
        couplings = self.couplings if neurons is None else self.couplings[neurons]
        return rates * bounded_gain(self.shared_gains(context) @ couplings.T)

    def shared_gains(self, context: "Context") -> Tensor:
        """Return the logarithms of the shared gains, (B, L)."""
        gains = self.couplings.new_zeros(len(context), self.settings.latents)
        if self.weights is not None:
            gains = gains + self._means(context) @ self.weights
        if self.drift is not None:
            gains = gains + _spline(self.drift - self.drift.mean(0), context.positions, self.settings.drift_trials)
        return gains

    def _means(self, context: "Context") -> Tensor:
        """Return the weighted means of behaviour over the trials that exist, (B, F); 0 where there is none."""
        weights = self._kernels * context.exists[:, None, :].to(self._kernels.dtype)
        total = weights.sum(2, keepdim=True)
        means = (weights @ context.behavior.to(weights.dtype)) / total.clamp(min=1e-6)
        return means.flatten(1)

    def regulariser(self) -> Tensor:
        """Return the penalties on the weights, the couplings and the spline, a scalar."""
        settings = self.settings
        penalty = settings.coupling_weight * (self.couplings[:, 0] - 1).square().sum()
        penalty = penalty + settings.coupling_weight * self.couplings[:, 1:].square().sum()
        if self.weights is not None:
            penalty = penalty + settings.l2_weight * self.weights.square().sum()
        if self.drift is not None:
            penalty = penalty + settings.drift_weight * self.drift.diff(dim=0).square().sum()
        return penalty


def _kernels(settings: SlowGainSettings, context: "ContextSettings") -> Tensor:
    """Return the weights of the trials of the window in each weighted mean, (number of means, W): of the trial itself, of those before, of those after."""
    offsets = torch.arange(-context.past, context.future + 1, dtype=torch.float32)
    if not settings.time_constants:
        return offsets.new_zeros(0, len(offsets))
    rows = [(offsets == 0).float()]
    for constant in settings.time_constants:
        decay = (-offsets.abs() / constant).exp()
        rows.append(decay * (offsets < 0))
        if not settings.past_only:
            rows.append(decay * (offsets > 0))
    return torch.stack(rows)


def _knots(trials: int, distance: float) -> int:
    """Return the number of knots of a cubic B-spline over the trials of a session; 0 if there is no spline."""
    return int(max(0, trials - 1) / distance) + 4 if distance else 0


def _spline(coefficients: Tensor, positions: Tensor, distance: float) -> Tensor:
    """Return the values of uniform cubic B-splines, (B, L), at the positions of trials; 0 where the position is not known."""
    place = positions.clamp(min=0).to(coefficients.dtype) / distance
    first = place.floor().clamp(max=len(coefficients) - 4)
    t = (place - first).clamp(max=1.0)[:, None]
    basis = torch.cat(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3],
        dim=1,
    )
    index = first.long()[:, None] + torch.arange(4, device=positions.device)
    values = (basis[:, :, None] * coefficients[index]).sum(1) / 6
    return values * (positions >= 0)[:, None].to(values.dtype)
