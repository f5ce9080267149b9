"""The history of responses: what neurons answered in earlier trials changes what they answer now."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from striate.errors import InputError, listed
from striate.models.inputs import ModelInputs
from striate.models.modulators.base import Modulator, ModulatorSettings
from striate.registry import modulators

if TYPE_CHECKING:
    from striate.data import Batch
    from striate.data.context import Context
    from striate.data.context_settings import ContextSettings

_TAPS_PER_SIGMA = 6.7  # 201 taps for a standard deviation of 30 trials
_OVERSAMPLING, _ITERATIONS = 10, 6  # of the randomised singular value decomposition


class HistorySettings(ModulatorSettings):
    """Settings of the modulator ``history``.

    Attributes
    ----------
    own_l1_weight
        Weight of the L1 penalty on the weights of a neuron's own earlier responses.
    state_components
        Number of components of the state of the population. 0 leaves the state out.
    state_trials
        Number of the latest earlier trials whose mean response gives the state; one of ``data.context.past_responses``.
    state_l1_weight
        Weight of the L1 penalty on the weights of the state.
    gain_sigma
        Standard deviation, in trials, of the causal half-Gaussian that smooths the learnt gain. 0 leaves the gain out.
    gain_smoothness
        Weight of the penalty on the squared differences of the learnt gain between successive trials.
    gain_l1_weight
        Weight of the L1 penalty on the neurons' couplings to the learnt gain.

    Examples
    --------
    >>> HistorySettings(gain_sigma=0).state_components
    10
    """

    own_l1_weight: Annotated[float, Field(ge=0)] = 0.3
    state_components: Annotated[int, Field(ge=0, le=1000)] = 10
    state_trials: Annotated[int, Field(ge=1, le=10_000)] = 1
    state_l1_weight: Annotated[float, Field(ge=0)] = 0.3
    gain_sigma: Annotated[float, Field(ge=0, le=1000)] = 30.0
    gain_smoothness: Annotated[float, Field(ge=0)] = 100.0
    gain_l1_weight: Annotated[float, Field(ge=0)] = 0.3

    @property
    def uses_behavior(self) -> bool:
        """Whether the modulator takes the behaviour of the trial."""
        return False

    @property
    def uses_context(self) -> bool:
        """Whether the modulator takes the context of the trial."""
        return True

    def check_context(self, context: "ContextSettings") -> None:
        """Raise `InputError` if the context lacks what the modulator uses."""
        if not context.past_responses:
            raise InputError(
                "[[model.modulators]] 'history' uses the responses to earlier trials, but data.context.past_responses is empty: give numbers "
                "of trials, such as [1, 2, 5, 10, 30]. The protocol is then that of past responses."
            )
        if self.state_components and self.state_trials not in context.past_responses:
            raise InputError(
                f"[[model.modulators]] 'history' takes the state of the population from state_trials = {self.state_trials}, which "
                f"data.context.past_responses does not have ({listed(context.past_responses, 8)}): add it there, or choose one of these."
            )


@modulators.register("history", settings=HistorySettings)
class HistoryModulator(Modulator):
    r"""Changes responses by the responses to earlier trials, as the model that won SENSORIUM+ 2022 does.

    Three parts, each of which is 0 (or a gain of 1) before training:

    - **own history**: a linear function of the means of the neuron's own responses to the latest earlier trials is added to its drive;
    - **state of the population**: ``elu(w · z + b)`` is added to the drive, where z are a few components of the responses of all neurons to
      the latest earlier trials. The components are those of a reduced-rank regression of the training responses on them, which is computed
      once before training;
    - **learnt gain**: the rate is multiplied by ``elu(c · g) + 1``, where c is the neuron's coupling and g are free parameters, one of each
      training and validation trial, averaged over earlier trials with the weights of a half-Gaussian.

    It sees nothing but training and validation trials before the trial that it predicts: no response to a test trial, to the trial itself or
    to a later one.

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs, with a context that has past responses.
    neurons
        Number of neurons.

    Raises
    ------
    InputError
        If the inputs have no past responses.

    References
    ----------
    The modulator of A. Hoffmann, the winning entry of SENSORIUM+ 2022. Its components are those of a non-negative factorisation, and its
    gain also averages the trial itself.

    Examples
    --------
    >>> from striate.data import Context, ContextSettings
    >>> past = ContextSettings(past_responses=[1, 5])
    >>> inputs = ModelInputs((1, 36, 64), context=past, trials={"mouse": 100}, measured_trials={"mouse": 80})
    >>> history = HistoryModulator(HistorySettings(), inputs, neurons=2)
    >>> context = Context.average(1, past, size=0, neurons=2)
    >>> history.modulate_rates(torch.ones(1, 2), torch.ones(1, 0), None, context).tolist()
    [[1.0, 1.0]]
    """

    settings: HistorySettings
    components: Tensor  # (N, components): weights of the responses of all neurons in the state
    _taps: Tensor  # (taps,): weight of the latest earlier trial first

    def __init__(self, settings: HistorySettings, inputs: ModelInputs, neurons: int) -> None:
        super().__init__(settings, inputs, neurons)
        if inputs.context is None or not inputs.context.past_responses:
            raise InputError(
                "The modulator 'history' uses the responses to earlier trials: build it with a context that has past_responses."
            )
        windows = inputs.context.past_responses
        self.own_weights = nn.Parameter(torch.zeros(neurons, len(windows)))
        self.constants = nn.Parameter(torch.zeros(neurons))
        if settings.state_components:
            settings.check_context(inputs.context)
            self._state_window = windows.index(settings.state_trials)
            self.register_buffer("components", torch.zeros(neurons, settings.state_components))
            self.state_weights = nn.Parameter(torch.zeros(neurons, settings.state_components))
            self.state_constants = nn.Parameter(torch.zeros(neurons))
        if settings.gain_sigma:
            distance = torch.arange(1, math.ceil(_TAPS_PER_SIGMA * settings.gain_sigma) + 1)
            self.register_buffer("_taps", (-0.5 * (distance / settings.gain_sigma).square()).exp(), persistent=False)
            self.gain = nn.Parameter(torch.zeros(sum(inputs.measured_trials.values())))
            self.couplings = nn.Parameter(torch.ones(neurons))

    def modulate_drive(
        self, drive: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Add the effects of the neuron's own history and of the state of the population to the drive, (B, M)."""
        assert context is not None
        assert context.past_responses is not None
        past = context.past_responses
        own = past if neurons is None else past[:, :, neurons]
        drive = drive + torch.einsum("bhn,nh->bn", own, _of(self.own_weights, neurons)) + _of(self.constants, neurons)
        if self.settings.state_components:
            state = past[:, self._state_window] @ self.components
            drive = drive + F.elu(state @ _of(self.state_weights, neurons).T + _of(self.state_constants, neurons))
        return drive

    def modulate_rates(
        self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Multiply rates, (B, M), by the learnt gain."""
        if not self.settings.gain_sigma:
            return rates
        assert context is not None
        assert context.measured_before is not None
        gain = self._smoothed_gain(context.measured_before)
        return rates * (F.elu(gain[:, None] * _of(self.couplings, neurons)) + 1)

    def _smoothed_gain(self, before: Tensor) -> Tensor:
        """Return the weighted mean of the gains of earlier trials, (B,); 0 if there is none, or their number is not known."""
        index = before[:, None] - torch.arange(1, len(self._taps) + 1, device=before.device)
        weights = self._taps * ((index >= 0) & (index < len(self.gain)))
        if not len(self.gain):
            return weights.sum(1)
        total = (weights * self.gain[index.clamp(0, len(self.gain) - 1)]).sum(1)
        return total / weights.sum(1).clamp(min=1e-6)

    @torch.no_grad()
    def initialise(self, batches: "Iterable[Batch]") -> None:
        """Find the components of the state: a reduced-rank regression of responses on those to earlier trials."""
        if not self.settings.state_components:
            return
        past, now = [], []
        for batch in batches:
            assert batch.context is not None
            assert batch.context.past_responses is not None
            past.append(batch.context.past_responses[:, self._state_window].cpu())
            now.append(batch.measured_responses().cpu())
        found = _reduced_rank_components(torch.cat(past), torch.cat(now), self.settings.state_components)
        self.components.zero_()
        self.components[:, : found.shape[1]] = found

    def regulariser(self) -> Tensor:
        """Return the L1 penalties on the weights and couplings, and the penalty on changes of the gain, a scalar."""
        settings = self.settings
        penalty = settings.own_l1_weight * self.own_weights.abs().sum()
        if settings.state_components:
            penalty = penalty + settings.state_l1_weight * self.state_weights.abs().sum()
        if settings.gain_sigma:
            penalty = penalty + settings.gain_smoothness * self.gain.diff().square().sum()
            penalty = penalty + settings.gain_l1_weight * self.couplings.abs().sum()
        return penalty


def _of(values: Tensor, neurons: Tensor | None) -> Tensor:
    return values if neurons is None else values[neurons]


def _reduced_rank_components(past: Tensor, now: Tensor, rank: int) -> Tensor:
    """Return the directions of past responses that best predict the responses, (N, rank or fewer), with unit variance.

    Ridge regression with the mean variance of the past responses as penalty, in its dual form, whose cost depends on the number of trials and
    not on that of neurons; then the principal components of what it predicts (Izenman 1975, J. Multivariate Anal. 5, 248).
    """
    past, now = past.double(), now.double()
    past, now = past - past.mean(0), now - now.mean(0)
    kernel = past @ past.T
    ridge = kernel.diagonal().mean().clamp(min=1e-12)
    dual = torch.linalg.solve(kernel + ridge * torch.eye(len(kernel), dtype=kernel.dtype), now)
    predicted = kernel @ dual
    with torch.random.fork_rng(devices=()):  # the algorithm starts from random directions
        torch.manual_seed(0)
        size = min(rank + _OVERSAMPLING, *predicted.shape)
        directions = torch.svd_lowrank(predicted, q=size, niter=_ITERATIONS)[2]  # (N, size)
    components = past.T @ (dual @ directions[:, :rank])
    scale = (past @ components).square().mean(0).sqrt()
    found: Tensor = components / scale.clamp(min=1e-9)
    return found.float()
