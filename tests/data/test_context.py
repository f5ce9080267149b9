"""The context of trials: behaviour of the neighbours in the order in which trials were shown, for whom the recipe asks for it."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording
from torch import Tensor

import striate
from striate.data import Batch, Context, ContextSettings
from striate.data.context import trial_positions
from striate.errors import InputError
from striate.recordings import Recording

RECORDING = small_recording()
ORDER = np.argsort(RECORDING.trials["trial_idx"].to_numpy())  # rows, in the order in which they were shown


def batch_of_all(tier: str = "train", **keys: Any) -> Batch:
    """The trials of a tier in file order, with behaviour and eye position."""
    chosen = {"behavior": True, "pupil_center": True, "batch_size": 1000} | keys
    return next(iter(striate.loaders(RECORDING, chosen, shuffle=False)[tier]))


def renumbered(indices: list[Any]) -> Recording:
    trials = RECORDING.trials.assign(trial_idx=indices)
    r = RECORDING
    return Recording(r.session, r.neurons, trials, r.images, r.responses, r.behavior, r.pupil_center)


def tensors(batch: Batch) -> Iterator[Tensor]:
    for field in fields(batch):
        if isinstance(value := getattr(batch, field.name), Tensor):
            yield value


@settings(max_examples=12)
@given(past=st.integers(0, 70), future=st.integers(0, 70))
def test_the_window_has_the_neighbours_of_each_trial(past: int, future: int) -> None:
    batch = batch_of_all(context={"past": past, "future": future})
    context, trials = batch.context, len(ORDER)
    assert context is not None
    assert context.behavior.shape == (len(batch), past + 1 + future, 5)
    states = np.concatenate([RECORDING.behavior, RECORDING.pupil_center], axis=1)
    mean = np.concatenate([RECORDING.statistics[name].mean for name in ("behavior", "pupil_center")])
    std = np.concatenate([RECORDING.statistics[name].std for name in ("behavior", "pupil_center")])
    in_order = ((states - mean) / std)[ORDER]
    for trial in (0, len(batch) // 2, len(batch) - 1):
        position = int(np.flatnonzero(int(batch.rows[trial]) == ORDER)[0])
        assert int(context.positions[trial]) == position
        for place, offset in enumerate(range(-past, future + 1)):
            there = 0 <= position + offset < trials
            assert bool(context.exists[trial, place]) == there
            expected = in_order[position + offset] if there else np.zeros(5)
            np.testing.assert_allclose(context.behavior[trial, place].numpy(), expected, atol=2e-5)


def test_the_context_changes_nothing_else_in_a_batch() -> None:
    options = {"behavior": True, "pupil_center": True, "batch_size": 7, "augmentations": [{"type": "gaussian_noise"}]}
    for tier in ("train", "validation", "test"):
        without = striate.loaders(RECORDING, options, seed=3)[tier]
        with_it = striate.loaders(RECORDING, options | {"context": {"past": 2}}, seed=3)[tier]
        for one, other in zip(without, with_it, strict=True):
            assert one.context is None
            assert other.context is not None
            for first, second in zip(tensors(one), tensors(other), strict=True):
                assert torch.equal(first, second)


def test_the_context_goes_with_its_trials_through_caches_and_workers() -> None:
    whole = batch_of_all(context={"past": 2, "future": 1}).context
    rows = batch_of_all().rows.tolist()
    assert whole is not None
    for options in ({"cache_gib": 0}, {"workers": 1}):
        chosen = {"behavior": True, "pupil_center": True, "context": {"past": 2, "future": 1}, "batch_size": 9}
        for batch in striate.loaders(RECORDING, chosen, seed=1, **options).train:
            places = torch.tensor([rows.index(row) for row in batch.rows.tolist()])
            assert batch.context is not None
            assert torch.equal(batch.context.behavior, whole.behavior[places])
            assert torch.equal(batch.context.positions, whole.positions[places])


def test_a_batch_is_moved_and_taken_with_its_context() -> None:
    batch = batch_of_all(context={"past": 3})
    part = batch.take(torch.tensor([2, 0])).to("meta").context
    assert part is not None
    assert len(part) == 2
    assert part.behavior.device.type == "meta"


def test_a_session_whose_trial_order_is_withheld_is_refused_or_gets_the_average_context() -> None:
    hashed = renumbered([f"{index:032x}" for index in RECORDING.trials["trial_idx"]])
    assert trial_positions(hashed) is None
    with pytest.raises(InputError, match=r"order of the trials of 7-1-1 is withheld.*unknown_order = \"average\""):
        striate.loaders(hashed, behavior=True, context={"past": 3})
    loaders = striate.loaders(hashed, behavior=True, context={"past": 3, "unknown_order": "average"})
    context = next(iter(loaders.validation)).context
    expected = Context.average(len(context), ContextSettings(past=3), 3)
    assert torch.equal(context.behavior, expected.behavior)
    assert not context.exists.any()
    assert (context.positions == -1).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"context": {"past": 3}}, r"context of trials is the behaviour around them, but data.behavior is false"),
        ({"behavior": True, "context": {"post": 3}}, r"the table context has no key 'post': did you mean 'past'"),
        ({"behavior": True, "context": {"past": -1}}, r"greater than or equal to 0"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        striate.loaders(RECORDING, keys)
