"""The order of training: seeded, the same whatever the workers, resumable, and cycled over recordings."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording

import striate
from striate.data import Batch, Cycle, SessionLoaders, TrialLoader, cycle
from striate.data.dataset import TrialDataset
from striate.data.sampler import BatchSampler
from striate.errors import InputError, WithheldError


def order(loader: TrialLoader) -> list[list[int]]:
    return [batch.rows.tolist() for batch in loader]


def sampler(trials: int = 100, batch_size: int = 7, seed: int = 0, session: str = "1-1-1") -> BatchSampler:
    return BatchSampler(trials, batch_size, shuffle=True, seed=seed, session=session)


def drawn(of: BatchSampler) -> list[list[int]]:
    return [batch.tolist() for batch in of]


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 2**63), st.integers(0, 1000))
def test_laws_of_an_epoch(trials: int, batch_size: int, seed: int, epoch: int) -> None:
    """Each trial exactly once, full batches but the last, which is kept; the same epoch is the same again."""
    of = sampler(trials, batch_size, seed)
    of.set_epoch(epoch)
    batches = drawn(of)
    assert sorted(position for batch in batches for position in batch) == list(range(trials))
    assert len(batches) == len(of) == -(-trials // batch_size)
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    assert 0 < len(batches[-1]) <= batch_size
    again = sampler(trials, batch_size, seed)
    again.set_epoch(epoch)
    assert drawn(again) == batches


def test_each_pass_epoch_seed_and_session_has_its_own_order() -> None:
    of = sampler()
    passes = [drawn(of), drawn(of)]
    of.set_epoch(1)
    passes += [drawn(of), drawn(of), drawn(sampler(seed=1)), drawn(sampler(session="2-2-2"))]
    assert len({str(batches) for batches in passes}) == len(passes)


def test_an_epoch_does_not_depend_on_what_was_drawn_before() -> None:
    went_through = sampler()
    for epoch in range(4):
        went_through.set_epoch(epoch)
        batches = drawn(went_through)
        next(iter(went_through))  # a pass that is broken off
    resumed = sampler()
    resumed.set_epoch(3)
    assert drawn(resumed) == batches


def test_the_order_is_the_same_on_every_machine() -> None:
    """Weights of a resumed run depend on it, so it may not change between versions either."""
    assert drawn(sampler(trials=8, batch_size=3))[0] == [7, 6, 2]


def test_epochs_are_counted_from_0() -> None:
    with pytest.raises(InputError, match="counted from 0, got -1"):
        sampler().set_epoch(-1)


@pytest.mark.slow
@pytest.mark.parametrize("cache_gib", [None, 0])
def test_workers_change_nothing(cache_gib: float | None) -> None:
    recording = small_recording()
    chosen = {"behavior": True, "batch_size": 8, "seed": 5, "cache_gib": cache_gib}
    here = striate.loaders(recording, workers=0, **chosen).train
    there = striate.loaders(recording, workers=2, **chosen).train
    for _ in range(2):
        for one, other in zip(here, there, strict=True):
            np.testing.assert_array_equal(one.rows, other.rows)
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.responses, other.responses)
    first = order(here)
    for loader in (here, there):
        loader.sampler.set_epoch(7)
    assert order(here) == order(there) != first


@pytest.mark.parametrize("ahead", [1, 20_000, 100_000, 2**28])
def test_what_does_not_fit_is_read_forwards_and_dealt_to_the_same_batches(
    ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("striate.data.dataset._READ_AHEAD", ahead)
    recording = small_recording()
    chosen = {"behavior": True, "pupil_center": True, "image_size": (9, 16), "batch_size": 8, "seed": 5}
    kept, read = (striate.loaders(recording, cache_gib=gib, **chosen).train for gib in (1, 0))
    reads: list[list[int]] = []
    fetch = TrialDataset.__getitem__

    def watched(dataset: TrialDataset, positions: np.ndarray) -> Batch:
        if dataset is read.dataset:
            reads.append(dataset.rows[positions].tolist())
        return fetch(dataset, positions)

    monkeypatch.setattr(TrialDataset, "__getitem__", watched)
    for _ in range(2):
        for one, other in zip(kept, read, strict=True):
            for name in ("rows", "images", "responses", "behavior", "pupil_center"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert all(rows == sorted(rows) for rows in reads)
    trial = 4 * (4 * 9 * 16 + len(recording.neurons))
    assert max(map(len, reads)) * trial <= max(ahead, 8 * trial)
    if ahead == 2**28:
        assert len(reads) == 2, "a pass is one read where it fits"


def test_the_seed_and_the_epoch_set_the_order_of_a_loader() -> None:
    recording = small_recording()
    loaders = striate.loaders(recording, batch_size=8)
    first = order(loaders.train)
    assert order(loaders.train) != first
    loaders.set_epoch(0)
    assert order(loaders.train) == first
    assert order(striate.loaders(recording, batch_size=8).train) == first
    assert order(striate.loaders(recording, batch_size=8, seed=1).train) != first
    with pytest.raises(InputError, match="must not be negative, got -1"):
        striate.loaders(recording, seed=-1)


RECORDINGS = [
    small_recording("1-1-1", training=40),
    small_recording("2-1-1", training=70, seed=1),
    small_recording("3-1-1", training=9, seed=2),
]


def several(**options: object) -> SessionLoaders:
    return striate.loaders(RECORDINGS, batch_size=16, **options)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_round_is_one_batch_of_each_until_the_longest_is_exhausted(workers: int) -> None:
    loaders = several(workers=workers)
    rounds = list(loaders.cycle())
    assert len(rounds) == len(loaders.cycle()) == 5  # ⌈70 / 16⌉
    assert all(list(batches) == ["1-1-1", "2-1-1", "3-1-1"] for batches in rounds)
    assert all(batch.session == session for batches in rounds for session, batch in batches.items())
    assert [len(batches["2-1-1"]) for batches in rounds] == [16, 16, 16, 16, 6]
    assert [len(batches["1-1-1"]) for batches in rounds] == [16, 16, 8, 16, 16]  # the short batch, then anew
    assert [len(batches["3-1-1"]) for batches in rounds] == [9] * 5
    longest = [row for batches in rounds for row in batches["2-1-1"].rows.tolist()]
    assert sorted(longest) == RECORDINGS[1].rows("train").tolist()
    shorter = Counter(row for batches in rounds[:3] for row in batches["1-1-1"].rows.tolist())
    assert sorted(shorter) == RECORDINGS[0].rows("train").tolist()
    assert set(shorter.values()) == {1}
    restarts = [batches["3-1-1"].rows.tolist() for batches in rounds]
    assert len({tuple(rows) for rows in restarts}) == 5  # newly shuffled each time
    assert {tuple(sorted(rows)) for rows in restarts} == {tuple(RECORDINGS[2].rows("train").tolist())}


def rows_of(rounds: Cycle) -> list[dict[str, list[int]]]:
    return [{session: batch.rows.tolist() for session, batch in batches.items()} for batches in rounds]


def test_cycling_resumes_at_any_epoch() -> None:
    went_through = several()
    epochs = [rows_of(went_through.cycle(epoch=epoch)) for epoch in range(3)]
    assert rows_of(several().cycle(epoch=2)) == epochs[2]
    assert epochs[0] != epochs[1] != epochs[2]
    went_on = several()
    went_on.set_epoch(1)
    assert rows_of(went_on.cycle()) == epochs[1]


def test_cycling_any_mapping_of_loaders() -> None:
    loaders = several()
    two = {session: loaders[session].train for session in ("3-1-1", "1-1-1")}
    rounds = rows_of(cycle(two, epoch=0))
    assert len(rounds) == 3
    assert all(list(batches) == ["3-1-1", "1-1-1"] for batches in rounds)


def test_withheld_trials_are_never_cycled_through() -> None:
    withheld = small_recording("8-1-1", final_images=2, withhold=True)
    loaders = striate.loaders([RECORDINGS[0], withheld], tiers=["train", "test"])
    assert len(loaders.cycle("train")) == 1
    with pytest.raises(WithheldError, match="Tier 'test' of 8-1-1 comes without responses"):
        loaders.cycle("test")
    with pytest.raises(InputError, match="at least one"):
        cycle({})


def test_several_recordings_are_a_mapping_by_session() -> None:
    loaders = several()
    assert list(loaders) == ["1-1-1", "2-1-1", "3-1-1"]
    assert loaders["2-1-1"].session == "2-1-1"
    assert loaders.input_shape == (1, 36, 64)
    assert {session: xyz.shape for session, xyz in loaders.coordinates.items()} == dict.fromkeys(loaders, (12, 3))
    assert list(striate.loaders({r.session: r for r in RECORDINGS})) == list(loaders)
    assert list(striate.loaders(iter(RECORDINGS[:1]))) == ["1-1-1"]
    with pytest.raises(InputError, match="'4-1-1' is not loaded; loaded: 1-1-1, 2-1-1, 3-1-1"):
        _ = loaders["4-1-1"]


def test_recordings_that_cannot_be_loaded_together() -> None:
    with pytest.raises(InputError, match="1-1-1 is given twice"):
        striate.loaders([RECORDINGS[0], RECORDINGS[0]])
    with pytest.raises(InputError, match="no recordings"):
        striate.loaders([])
    with pytest.raises(InputError, match=r"no archive at static1-1-1\.zip"):
        striate.loaders("static1-1-1.zip")
    other = small_recording("4-1-1", shape=(36, 64))
    loaders = striate.loaders([RECORDINGS[0], other], image_size=None)
    with pytest.raises(InputError, match="inputs of different shapes"):
        _ = loaders.input_shape


def test_recordings_share_the_memory_that_may_be_kept() -> None:
    """With room for one recording's inputs, what the other keeps nothing of is read again for each batch."""
    pair = [small_recording("1-1-1"), small_recording("2-1-1", seed=1)]
    trained = 40 + 8 + 4  # distinct images
    room = (trained + 10) * 18 * 32 * 4 / 2**30
    loaders = striate.loaders(pair, image_size=None, cache_gib=room)
    before = [next(iter(of.validation)).images.clone() for of in loaders.values()]
    for recording in pair:
        recording.images[:] = 255 - recording.images
    after = [next(iter(of.validation)).images for of in loaders.values()]
    assert [bool((one == other).all()) for one, other in zip(before, after, strict=True)] == [True, False]
