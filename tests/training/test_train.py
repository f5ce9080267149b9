"""Training: what it leaves behind, that it is reproducible, that it goes on where it was, that it disturbs nothing."""

import json
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES, small_recipe

import striate
from striate.data import loaders
from striate.errors import InputError, StriateError
from striate.metrics import single_trial_correlation
from striate.models.serialisation import write_tensors
from striate.recordings import Recording
from striate.training import Run, load_recipe, predict, train
from striate.training.trainer import Trainer

Weights = dict[str, torch.Tensor]


def recordings(count: int = 2) -> list[Recording]:
    """Of different lengths, so that one of them starts again within an epoch."""
    return [small_recording(f"{i}-1-1", neurons=6 + i, training=60 - 25 * i, seed=i) for i in range(count)]


def weights(folder: Path) -> Weights:
    return load_file(folder / "weights.safetensors")


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a kill."""


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> bool:
    """Start a training that dies after so many steps; say whether it did."""
    taken = 0
    step = Trainer._step

    def counted(self: Trainer, batches: Any) -> float:
        nonlocal taken
        if taken == steps:
            raise Killed
        taken += 1
        return step(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", counted)
        try:
            call()
        except Killed:
            return True
        return False


def test_a_run_is_whole(tmp_path: Path) -> None:
    recording = small_recording()
    run = train(small_recipe(), recording, tmp_path / "run", seed=3)
    files = {p.name for p in (tmp_path / "run").iterdir()}
    assert files == {
        "recipe.toml", "weights.safetensors", "neurons.parquet", "history.parquet", "provenance.json", "tensorboard",
        "standardisation.json", "scores.json", "README.md",
    }  # fmt: skip
    assert run.finished
    assert run.sessions == (recording.session,)
    assert run.recipe == small_recipe()
    history = run.history
    assert history["epoch"].tolist() == list(range(len(history)))
    assert np.isnan(history["loss"][0])
    assert history["loss"][1:].notna().all()
    facts = run.provenance
    assert facts["best_validation_correlation"] == pytest.approx(history["validation_correlation"].max())
    assert (facts["seed"], facts["protocol"]) == (3, "image")
    assert facts["recordings"][0]["fingerprint"] == recording.fingerprint
    assert facts["attempts"][0]["striate"] == striate.__version__
    np.testing.assert_array_equal(run.unit_ids(recording.session), recording.unit_ids)
    encoder = run.encoder()
    assert encoder.neurons(recording.session) == len(recording.neurons)
    assert not encoder.training


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    recording = small_recording(training=200, validation=60, neurons=8)
    run = train(small_recipe(schedule__max_epochs=8), recording, tmp_path / "run")
    history = run.history
    assert history["loss"].iloc[-1] < 0.98 * history["loss"].iloc[1]
    assert run.provenance["best_validation_correlation"] > history["validation_correlation"][0] + 0.03


@pytest.mark.slow
def test_the_result_is_the_best_and_not_the_last(tmp_path: Path) -> None:
    from striate.data import loaders
    from striate.metrics import single_trial_correlation

    recording = small_recording()
    run = train(small_recipe(schedule__max_epochs=6, schedule__learning_rate=0.3), recording, tmp_path / "run")
    correlations = run.history["validation_correlation"]
    assert correlations.max() > correlations.iloc[-1], "the rate is so high that the last epoch is not the best"
    data = loaders(recording, run.recipe.data)
    with torch.no_grad():
        predicted = torch.cat([run.encoder()(batch) for batch in data.prediction("validation")])
    reached = single_trial_correlation(data.responses("validation"), predicted.numpy()).mean()
    assert reached == pytest.approx(correlations.max(), abs=1e-6)


@pytest.mark.slow
def test_the_running_average_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    recipe = small_recipe(schedule__ema_decay=0.5, schedule__max_epochs=2, schedule__learning_rate=1e-3)
    plain = small_recipe(schedule__max_epochs=2, schedule__learning_rate=1e-3)
    run, without = (train(one, small_recording(), tmp_path / str(i)) for i, one in enumerate((recipe, plain)))
    assert run.history["loss"].equals(without.history["loss"])  # each step is the same
    columns = ["validation_correlation"]
    assert not run.history[columns][1:].equals(without.history[columns][1:])
    best = run.history["validation_correlation"].max()
    data = loaders(small_recording(), recipe.data, tiers=("validation",))
    predicted = predict(run, small_recording(), "validation").values
    correlation = np.nan_to_num(single_trial_correlation(data.responses("validation"), predicted)).mean()
    assert correlation == pytest.approx(best, abs=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(small_recipe(data__behavior=True), recordings(), tmp_path / name, seed=seed)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the one that others may rely on
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    train(small_recipe(), small_recording(), tmp_path / "run")
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"model__core__channels": 16},  # as many as the fused kernels need
        {"schedule__ema_decay": 0.8, "initialisation__positions": "retinotopy", "initialisation__biases": "mean"},
    ],
)
@pytest.mark.parametrize("minutes", [1e-9, 60.0])
def test_killed_anywhere_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float, more: dict[str, Any]
) -> None:
    """Also after several kills, and in the middle of an epoch."""
    recipe = small_recipe(compute__checkpoint_minutes=minutes, schedule__patience=1, schedule__max_epochs=3, **more)

    def start(name: str) -> Run:
        return train(recipe, recordings(), tmp_path / name, seed=5)

    whole = start("whole")
    for kills in ([6], [3, 0, 4]) if minutes < 1 else ([5, 5],):
        name = f"killed {kills}"
        for steps in kills:
            assert killed_after(steps, monkeypatch, lambda name=name: start(name))
            assert not Run.open(tmp_path / name).finished
        again = start(name)
        assert same(weights(tmp_path / name), weights(tmp_path / "whole"))
        columns = ["epoch", "loss", "validation_correlation", "learning_rate", "improved", "restored"]
        assert again.history[columns].equals(whole.history[columns])
        assert len(again.provenance["attempts"]) == len(kills) + 1
        assert again.provenance["start"] == whole.provenance["start"]


@pytest.mark.slow
def test_killed_at_the_very_end_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = lambda name: train(small_recipe(), small_recording(), tmp_path / name)  # noqa: E731
    start("whole")

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(import_module("striate.training.train"), "_finish", dies)
        start("killed")
    start("killed")
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_a_finished_run_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    run = train(small_recipe(), small_recording(), tmp_path / "run", seed=1)
    before = weights(run.folder)
    with pytest.raises(InputError, match="holds a finished run"):
        train(small_recipe(), small_recording(), tmp_path / "run", seed=2)
    assert same(before, weights(run.folder))
    (run.folder / "notes.txt").write_text("mine")
    again = train(small_recipe(), small_recording(), tmp_path / "run", seed=2, overwrite=True)
    assert not same(before, weights(run.folder))
    assert again.provenance["seed"] == 2
    assert (run.folder / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_failed_replacement_leaves_the_old_run(tmp_path: Path) -> None:
    run = train(small_recipe(), small_recording(), tmp_path / "run")
    before = weights(run.folder)
    with pytest.raises(InputError, match="withheld"):
        train(small_recipe(data__behavior=True), small_recording(without_behavior=True), run.folder, overwrite=True)
    assert same(before, weights(run.folder))
    assert Run.open(run.folder).finished


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "session", "seed", "says"),
    [
        ({"schedule__patience": 2}, 0, 0, "schedule.patience is 5 there and 2 now"),
        ({"data__areas": ["V1"]}, 0, 0, "data.areas is not set there"),
        ({}, 1, 0, "trained on other recordings"),
        ({}, 0, 7, "the seed is 0 there and 7 now"),
    ],
)
def test_an_unfinished_run_goes_on_only_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], session: int, seed: int, says: str
) -> None:
    first = small_recording(seed=0)
    killed_after(1, monkeypatch, lambda: train(small_recipe(), first, tmp_path / "run"))
    other = small_recording(seed=session)
    with pytest.raises(InputError, match=says):
        train(small_recipe(**recipe), other, tmp_path / "run", seed=seed)
    train(small_recipe(**recipe), other, tmp_path / "run", seed=seed, overwrite=True)


def test_what_does_not_change_the_result_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(1, monkeypatch, lambda: train(small_recipe(), small_recording(), tmp_path / "run"))
    recipe = small_recipe(compute__checkpoint_minutes=9.0, description="Mine.", data__cache_gib=0.0)
    assert train(recipe, small_recording(), tmp_path / "run").finished


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(1, monkeypatch, lambda: train(small_recipe(), small_recording(), tmp_path / "run"))
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        train(small_recipe(), small_recording(), tmp_path / "run")
    weights_ = {"encoder/core.layers.0.norm.bias": torch.zeros(99)}
    write_tensors(path, weights_, {"format": "striate-checkpoint-2", "training": {}}, overwrite=True)
    with pytest.raises(InputError, match="not a checkpoint of this run"):
        train(small_recipe(), small_recording(), tmp_path / "run")


def test_two_at_a_time_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._step
    refused = []

    def meanwhile(self: Trainer, batches: Any) -> float:
        with pytest.raises(InputError, match="is being trained by another process"):
            train(small_recipe(), small_recording(), tmp_path / "run", overwrite=True)
        refused.append(True)
        return step(self, batches)

    monkeypatch.setattr(Trainer, "_step", meanwhile)
    assert train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "run").finished
    assert refused


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("…")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds something else than a run"):
            train(small_recipe(), small_recording(), tmp_path / "thesis", overwrite=overwrite)
    with pytest.raises(InputError, match="it or a folder above it is a file"):
        train(small_recipe(), small_recording(), tmp_path / "thesis" / "chapter1.txt")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"recipe": {"data": {"behavior": True}}, "recordings": small_recording(without_behavior=True)}, "behaviour of 7-1-1"),
        ({"recordings": []}, "no recordings"),
        ({"recordings": ["recording.zip"]}, "There is no archive at recording.zip"),
        ({"recordings": [small_recording(), small_recording()]}, "Two recordings have the session"),
        ({"recordings": small_recording(validation=0)}, "no trials of tier 'validation'"),
        ({"seed": -1}, "seed must not be negative"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"device": "cuda:7"}, "no device 'cuda:7'"),
        ({"core": "nowhere"}, "nowhere is no run"),
        ({"recipe": {"data": {"image_size": [36, 36]}}}, "distort"),
        ({"recipe": {"data": {"image_size": "original"}, "model": {"core": {"input_kernel_size": 19}}}}, "is larger than"),
        ({"recipe": {"data": {"neurons": 99}}}, "99 are asked for"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_writes_nothing(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {
        "recipe": small_recipe(),
        "recordings": small_recording(),
        "out": tmp_path / "run",
    } | given
    with pytest.raises(InputError, match=says):
        train(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    clean = small_recording()
    responses = clean.responses.copy()
    responses[clean.rows("train")[0], 0] = np.nan
    parts = (clean.session, clean.neurons, clean.trials, clean.images, responses, clean.behavior, clean.pupil_center)
    with pytest.raises(StriateError, match="diverged: the loss became nan in epoch 1"):
        train(small_recipe(), Recording(*parts, clean.statistics), tmp_path / "run")


@pytest.mark.slow
def test_all_recordings_count_in_the_validation(tmp_path: Path) -> None:
    alone = [train(small_recipe(), r, tmp_path / r.session).history["validation_correlation"][0] for r in recordings()]
    both = train(small_recipe(), recordings(), tmp_path / "both")
    assert len(both.sessions) == 2
    assert both.history["validation_correlation"][0] != pytest.approx(alone[0])
    assert len(both.provenance["recordings"]) == 2
    assert both.unit_ids("1-1-1").size == 7


@pytest.mark.slow
def test_new_readouts_on_a_frozen_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(small_recipe(), recordings()[0], tmp_path / "core")
    other = small_recording("9-1-1", seed=9)
    start = lambda name: train(small_recipe(), other, tmp_path / name, core=first, seed=2)  # noqa: E731
    run = start("new")
    old, new = weights(first.folder), weights(run.folder)
    core = [name for name in new if name.startswith("core.")]
    assert core
    assert all(torch.equal(old[name], new[name]) for name in core)
    assert run.sessions == ("9-1-1",)
    assert run.provenance["core"]["run"] == first.folder.name
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[1]
    assert killed_after(2, monkeypatch, lambda: start("killed"))
    start("killed")
    assert same(weights(tmp_path / "killed"), new)
    with pytest.raises(InputError, match="not finished"):
        killed_after(1, monkeypatch, lambda: start("half"))
        train(small_recipe(), other, tmp_path / "on half", core=tmp_path / "half")


@pytest.mark.slow
def test_a_core_must_fit_the_recipe(tmp_path: Path) -> None:
    first = train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "core")
    with pytest.raises(InputError, match=r"The core has channels = 4, .* model.core.channels = 6"):
        train(small_recipe(model__core__channels=6), small_recording(), tmp_path / "new", core=first)
    with pytest.raises(InputError, match=r"inputs of shape \(1, 18, 32\).* gives \(4, 18, 32\)"):
        train(small_recipe(data__behavior=True), small_recording(), tmp_path / "new", core=first.folder)
    assert train(
        small_recipe(model__core__laplace_weight=0.0), small_recording(), tmp_path / "new", core=first.encoder()
    )


def test_tensorboard_shows_the_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    start = lambda: train(small_recipe(), small_recording(), tmp_path / "run")  # noqa: E731
    killed_after(5, monkeypatch, start)
    history = start().history
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert {"loss", "validation_correlation", "learning_rate"} <= set(events.Tags()["scalars"])
    drawn = events.Scalars("validation_correlation")
    assert [e.step for e in drawn] == history["epoch"].tolist()[1:]
    np.testing.assert_allclose([e.value for e in drawn], history["validation_correlation"][1:], rtol=1e-5)


def _named(session: Any) -> str:
    return json.dumps({"status": "finished", "recordings": [{"session": session, "fingerprint": "a"}]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "provenance.json").unlink(), "is no run"),
        (lambda f: (f / "recipe.toml").unlink(), "is no run"),
        (lambda f: (f / "provenance.json").write_text("{"), "provenance.json is damaged"),
        (lambda f: (f / "provenance.json").write_text("{}"), "provenance.json is damaged"),
        (lambda f: (f / "provenance.json").write_text(json.dumps({"status": "odd", "recordings": []})), "damaged"),
        (lambda f: (f / "provenance.json").write_text("[" * 100_000), "nested more than"),
        (lambda f: (f / "provenance.json").write_text(_named(7)), "damaged .recordings.0.session"),
        (lambda f: (f / "provenance.json").write_text(_named("\ud800")), "not Unicode"),
        (lambda f: (f / "recipe.toml").write_text("a = " + "[" * 1000), "nested more than"),
        (lambda f: (f / "recipe.toml").write_text(f"[data]\nbatch_size = {'9' * 4301}"), "4,300 digits"),
        (lambda f: (f / "recipe.toml").write_text("[data]\nbatch_size = inf"), "batch_size = Infinity"),
        (lambda f: (f / "recipe.toml").write_text("[data]\nbatchsize = 3"), "has no key 'batchsize'"),
        (lambda f: (f / "weights.safetensors").write_bytes(b"x"), "not a whole safetensors file"),
        (lambda f: (f / "weights.safetensors").unlink(), "there is no such file"),
    ],
)
def test_a_damaged_run_is_one_sentence(tmp_path: Path, damage: Callable[[Path], Any], says: str) -> None:
    train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "run")
    damage(tmp_path / "run")
    with pytest.raises(InputError, match=says):
        Run.open(tmp_path / "run").encoder()


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"no table" * 100])
def test_a_damaged_table_of_a_run_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    run = train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "run")
    for name in ("history.parquet", "neurons.parquet"):
        (tmp_path / "run" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"history.parquet cannot be read as a table .*: train the run anew"):
        _ = run.history
    with pytest.raises(InputError, match=r"neurons.parquet cannot be read as a table .*: train the run anew"):
        run.unit_ids(run.sessions[0])


def test_validation_that_cannot_tell_models_apart_is_refused(tmp_path: Path) -> None:
    """A correlation over one trial, or of one prediction for all trials, is 0 whatever is learnt."""
    whole = small_recording(validation=4)
    for image_ids, trials, recipe in (([1], 1, small_recipe(data__behavior=True)), ([1, 1, 1, 1], 4, small_recipe())):
        table = whole.trials.copy()
        rows = whole.rows("validation")
        table.loc[rows[trials:], "tier"] = "train"
        table.loc[rows[:trials], "image_id"] = image_ids
        recording = Recording(whole.session, whole.neurons, table, **whole.arrays)
        with pytest.raises(InputError, match=f"one image in its {trials} trials of tier 'validation'"):
            train(recipe, recording, tmp_path / "run")
        assert not (tmp_path / "run").exists()
    train(small_recipe(data__behavior=True, schedule__max_epochs=1), recording, tmp_path / "run")  # states differ


@pytest.mark.slow
def test_a_second_thread_does_not_disturb_the_seeds(tmp_path: Path) -> None:
    refused: list[InputError] = []

    recording = small_recording()
    alone = train(small_recipe(), recording, tmp_path / "alone", progress=False)
    rounds = 0
    plain = Trainer.run

    def run(trainer: Trainer) -> None:
        nonlocal rounds
        rounds += 1

        def other() -> None:
            try:
                train(small_recipe(), recording, tmp_path / "other", progress=False)
            except InputError as error:
                refused.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        plain(trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "run", run)
        watched = train(small_recipe(), recording, tmp_path / "watched", progress=False)
    assert rounds == 1
    assert len(refused) == 1
    assert "Another thread of this process is training" in str(refused[0])
    assert not (tmp_path / "other").exists()
    one, other = (load_file(run.folder / "weights.safetensors") for run in (alone, watched))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_overrides_may_be_numbers_of_numpy() -> None:
    overrides = {
        "schedule.learning_rate": np.float32(0.5),
        "schedule.max_epochs": np.int64(1),
        "data.image_size": np.array([18, 32]),
        "model.shifter": np.bool_(False),
        "loss.type": np.str_("poisson"),
    }
    recipe = load_recipe(TABLES, overrides)
    assert recipe.schedule.learning_rate == 0.5
    assert recipe.data.image_size == (18, 32)
