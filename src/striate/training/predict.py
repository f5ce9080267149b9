"""Predict all trials of tiers with a run, an encoder, or any function from batches to rates."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate._internal.devices import resolve_device
from striate._internal.progress_bars import progress_bar
from striate._internal.torch_defaults import torch_defaults
from striate._internal.user_warnings import warn
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.catalog import as_recording, as_recordings
from striate.component_errors import component_errors
from striate.data import Batch, DataSettings, Loaders, loaders
from striate.data.config import data_settings
from striate.errors import InputError, describe_type, listed
from striate.metrics import single_trial_correlation
from striate.models import Encoder
from striate.models.kernels import freed_memory_kept
from striate.recordings.table_labels import reorder_by_labels
from striate.training.open_run import open_run
from striate.training.run import Run
from striate.training.trained_model import TrainedModel

if TYPE_CHECKING:
    from striate.recordings import Recording

Predictor = Callable[[Batch], Any]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted responses to the trials of one recording.

    Attributes
    ----------
    session
        Session of the recording.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image id of each trial, sorted by tier, then in the order of the recording.
    unit_ids : (N,)
        Unit id of each predicted neuron.
    values : (T, N) float32
        Predicted responses, ≥ 0, in standardised units.
    protocol
        Protocol of the benchmark that the inputs of the model need, such as ``"image + behaviour"``.
    benchmark
        Benchmark of the recording.
    """

    session: str
    tier: NDArray[np.str_]
    trial_idx: NDArray[Any]
    image_id: NDArray[Any]
    unit_ids: NDArray[np.int64]
    values: NDArray[np.float32]
    protocol: str
    benchmark: BenchmarkSpec = field(default_factory=load_benchmark)

    def __repr__(self) -> str:
        tiers = ", ".join(f"{tier} {(self.tier == tier).sum()}" for tier in dict.fromkeys(self.tier.tolist()))
        return f"<Predictions {self.session}: {tiers} trials × {len(self.unit_ids)} neurons, {self.protocol}>"


@component_errors()
def predict(
    model: TrainedModel | Encoder | torch.nn.Module | Predictor | str | Path,
    recording: Recording | str | Path,
    tiers: Iterable[str] | str | None = None,
    *,
    data: DataSettings | Mapping[str, Any] | None = None,
    encoder: torch.nn.Module | None = None,
    device: str = "auto",
) -> Predictions:
    """Predict the responses of the neurons of a recording.

    Measured responses to the trials that are predicted are not used, and may be withheld. A model of past responses is given those to earlier
    training and validation trials.

    Parameters
    ----------
    model
        A finished run or ensemble, its folder, an encoder, or any function that takes a `Batch` and returns rates, (B, N). Any
        other PyTorch module is set to evaluation mode, and called with the batch or, if this fails, with its images.
    recording
        An open recording, its path, or its name. Runs and encoders must have a readout for it.
    tiers
        Tiers to predict; by default all test tiers of the benchmark that the recording has.
    data
        Settings of the data: by default those of the recipe of a run, or those that an encoder needs. A function gets images
        alone, with the defaults of `DataSettings`.
    encoder
        Module of your own, if `model` is a run that was trained with one; the weights of the run are loaded into it.
    device
        Device of a run or an encoder; see `striate.train`.

    Returns
    -------
    Predictions
        Predicted responses with the trials and neurons that they belong to.

    Raises
    ------
    InputError
        If the model has no readout for the recording or for just these neurons, the recording lacks a tier or withholds
        the behaviour that the model needs, or the function returns something else than rates.
    """
    if isinstance(model, str | os.PathLike):
        model = open_run(model)
    if encoder is not None and not isinstance(model, Run):
        raise InputError(
            f"encoder was given with {describe_type(model)}: it is the module of a run that was trained with one."
        )
    recording = as_recording(recording)
    requested_tiers = _tiers(recording, tiers)
    if (
        isinstance(model, TrainedModel)
        and recording.benchmark.validation_tier in requested_tiers
        and model.trained_on_validation
    ):
        warn(f"Scores of {model.folder} on validation trials do not count, because {model.trained_on_validation}.")
    settings = _settings(model, data)
    target = resolve_device(device) if isinstance(model, TrainedModel | Encoder) else torch.device("cpu")
    # each batch is used once, so caching would only take memory
    data_loaders = loaders(
        recording, settings.for_prediction().model_copy(update={"cache_gib": 0.0}), tiers=requested_tiers, device=target
    )
    function = _predictor(model, data_loaders, target, encoder)
    rows = np.concatenate([recording.rows(tier) for tier in requested_tiers])
    values = np.empty((rows.size, data_loaders.unit_ids.size), dtype=np.float32)
    start = 0
    # functions of the user keep the user's settings of PyTorch
    defaults = torch_defaults() if isinstance(model, TrainedModel | Encoder) else nullcontext()
    with defaults, freed_memory_kept(), progress_bar(f"Predicting {recording.session}", rows.size) as advance:
        for batch in _batches(data_loaders, requested_tiers):
            values[start : start + len(batch)] = _rates(function, batch, data_loaders.unit_ids)
            start += len(batch)
            advance(len(batch))
    trials = recording.trials.iloc[rows]
    return Predictions(
        session=recording.session,
        tier=trials["tier"].to_numpy(dtype=str),
        trial_idx=trials["trial_idx"].to_numpy(),
        image_id=trials["image_id"].to_numpy(),
        unit_ids=data_loaders.unit_ids,
        values=values,
        protocol=recording.benchmark.protocol_for(settings.extra_inputs).name,
        benchmark=recording.benchmark,
    )


def validation_correlation(
    model: TrainedModel, recordings: Iterable[Recording | str | Path] | Recording | str | Path, device: str
) -> float:
    """Return the mean single-trial correlation on validation trials; see `TrainedModel.validation_correlation`."""
    correlations = []
    for recording in as_recordings(recordings):
        tier = recording.benchmark.validation_tier
        predicted = predict(model, recording, tier, device=device)
        data = loaders(recording, model.data.for_prediction(), tiers=(tier,), cache_gib=0.0)
        correlations.append(single_trial_correlation(data.responses(tier), predicted.values))
    return float(np.nan_to_num(np.concatenate(correlations)).mean())


def _tiers(recording: Recording, tiers: Iterable[str] | str | None) -> tuple[str, ...]:
    if tiers is None:
        requested_tiers = tuple(tier for tier in recording.benchmark.test_tiers if tier in recording.tiers)
    else:
        requested_tiers = recording.benchmark.tier_names(tiers)
    if not requested_tiers:
        raise InputError(f"Say which tiers of {recording.session} to predict: it has {', '.join(recording.tiers)}.")
    for tier in requested_tiers:
        recording.rows(tier)  # raises if there are none
    return requested_tiers


def _settings(model: TrainedModel | Encoder | Predictor, data: DataSettings | Mapping[str, Any] | None) -> DataSettings:
    if data is not None:
        return data_settings(data, {})
    if isinstance(model, TrainedModel):
        return model.data
    if isinstance(model, Encoder):
        inputs = model.inputs
        return DataSettings(
            behavior=inputs.behavior_size > 0,
            behavior_planes=inputs.behavior_planes > 0 or not inputs.behavior_size,
            pupil_center=model.uses_pupil_center,
            context=inputs.context,
            image_size=inputs.image_shape[1:],
        )
    return DataSettings()


def _predictor(
    model: TrainedModel | Encoder | Predictor,
    data_loaders: Loaders,
    device: torch.device,
    module: torch.nn.Module | None,
) -> Predictor:
    if isinstance(model, TrainedModel):
        model.require_finished()
        trained, present = model.unit_ids(data_loaders.session), data_loaders.unit_ids
        if not np.array_equal(trained, present):
            odd = sorted(set(trained.tolist()) ^ set(present.tolist()))
            what = f"units {listed(odd)} are in one only" if odd else "their order differs"
            raise InputError(
                f"The neurons of {data_loaders.session} are not those that {model.folder} was trained on ({what}): predict the "
                "recording that it was trained on."
            )
        model = model.module(module)
        if not isinstance(model, Encoder):
            return model.to(device).eval()
    if isinstance(model, Encoder):
        if model.neurons(data_loaders.session) != data_loaders.unit_ids.size:
            raise InputError(
                f"The encoder predicts {model.neurons(data_loaders.session)} neurons of {data_loaders.session}, but the recording has "
                f"{data_loaders.unit_ids.size} (as selected): give the recording that it was trained on."
            )
        return model.to(device).eval()
    if isinstance(model, torch.nn.Module):
        return _module_predictor(model)
    if isinstance(model, type) or not callable(model):
        raise InputError(
            f"{describe_type(model)} cannot predict: give a run, an encoder, a PyTorch module, or a function from a batch to rates."
        )
    return model


def _module_predictor(module: torch.nn.Module) -> Predictor:
    """Call a module with batches or with their images, whichever it takes, in evaluation mode and where its weights are."""
    weight = next(module.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    takes_images: list[bool] = []

    def predict(batch: Batch) -> Any:
        moved = batch.to(device)
        training = module.training
        module.eval()
        try:
            if not takes_images:
                try:
                    rates = module(moved)
                except (TypeError, AttributeError, RuntimeError, ValueError, NotImplementedError):
                    takes_images.append(True)  # and if it does not take these either, its own error says why
                else:
                    takes_images.append(False)
                    return rates
            return module(moved.images if takes_images[0] else moved)
        except (TypeError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"The module takes neither a batch nor its images of shape {tuple(moved.images.shape)} ({reason}): give a function "
                "from a batch to rates."
            ) from error
        finally:
            module.train(training)

    return predict


def _batches(data_loaders: Loaders, tiers: Iterable[str]) -> Iterator[Batch]:
    for tier in tiers:
        yield from data_loaders.prediction(tier)


def _rates(function: Predictor, batch: Batch, unit_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    try:
        with torch.inference_mode():
            returned = function(batch)
    except (TypeError, AttributeError) as error:
        if "Batch" not in str(error):
            raise
        raise InputError(
            f"The function took no batch ({' '.join(str(error).split())[:120]}): it is given a striate.data.Batch, so use "
            "batch.images, batch.behavior and so on."
        ) from error
    if isinstance(returned, pd.DataFrame):
        returned = reorder_by_labels(returned, "rates that the model returned", columns=unit_ids.tolist())
    neurons = unit_ids.size
    rates = as_array(returned, "rates that the model returned").astype(np.float32, copy=False)
    if rates.shape != (len(batch), neurons):
        raise InputError(
            f"The model returned rates of shape {rates.shape}; a batch of {len(batch)} trials and {neurons} neurons needs "
            f"{(len(batch), neurons)}."
        )
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise InputError("The model returned rates that are negative, NaN or infinite; responses are ≥ 0.")
    return rates
