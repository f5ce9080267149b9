"""Distillation: what a student learns from its teacher, on trials and on images that nobody measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.benchmarks import load_benchmark
from striate.errors import InputError
from striate.recordings import Recording
from striate.training import Callback, Ensemble, Run, predict, train
from striate.training.distillation import Distillation
from striate.training.recipe import DistillationSettings

Image = pytest.importorskip("PIL.Image")

RECORDING = small_recording(shape=(36, 64))
OTHER = small_recording("8-1-1", shape=(36, 64), seed=3, withhold=True)
EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Ensemble]:
    """A run that sees images alone, and an ensemble with a member that sees behaviour and larger images."""
    place = tmp_path_factory.mktemp("teachers")
    one = train(small_recipe(schedule__max_epochs=2), [RECORDING, OTHER], place / "one", progress=False)
    two = train(
        small_recipe(
            schedule__max_epochs=2,
            data__behavior=True,
            data__pupil_center=True,
            model__shifter=True,
            data__image_size=[36, 64],
        ),
        [RECORDING, OTHER],
        place / "two",
        seed=1,
        progress=False,
    )
    return one, Ensemble.from_runs([one, two], place / "both", protocol="image + behaviour")


def distilled(
    teacher: Any, out: Path, recordings: Any = RECORDING, seed: int = 0, callbacks: Any = (), **settings: Any
) -> Run:
    settings = {"schedule__max_epochs": 2, "compute__checkpoint_minutes": 1e-9} | settings
    recipe = small_recipe(**{k: v for k, v in settings.items() if not k.startswith("distillation__")})
    taught = {k.replace("__", "."): v for k, v in settings.items() if k.startswith("distillation__")}
    return train(
        recipe, recordings, out, teacher=teacher, overrides=taught, seed=seed, callbacks=callbacks, progress=False
    )


def distillation(teacher: Run | Ensemble, recording: Recording = RECORDING, **settings: Any) -> Distillation:
    data = striate.loaders([recording], {"image_size": (18, 32), "batch_size": 16})
    return Distillation(DistillationSettings(**settings), teacher, data, seed=0, device=torch.device("cpu"))


@pytest.mark.parametrize("which", [0, 1])
def test_targets_of_training_trials_are_mixtures(which: int, teachers: tuple[Run, Ensemble]) -> None:
    teacher = teachers[which]
    made = distillation(teacher, weight=0.25)
    dataset = made._data["7-1-1"].train.dataset
    measured = dataset[np.arange(len(dataset))].measured_responses().numpy()
    made.set_targets()
    targets = dataset[np.arange(len(dataset))].measured_responses().numpy()
    rates = predict(teacher, RECORDING, "train").values
    np.testing.assert_allclose(targets, 0.75 * measured + 0.25 * rates, rtol=1000 * EPS)
    validation = next(iter(made._data["7-1-1"].validation)).measured_responses()
    np.testing.assert_array_equal(validation.numpy(), made._data["7-1-1"].responses("validation"))


@pytest.mark.parametrize("which", [0, 1])
def test_images_have_the_rates_of_the_teacher_in_the_states_of_training_trials(
    which: int, teachers: tuple[Run, Ensemble]
) -> None:
    teacher = teachers[which]
    made = distillation(teacher, images="dead_leaves", pool=10, per_epoch=25, images_weight=0.5)
    rounds = [made.batch("7-1-1", 0, number, 4) for number in range(4)]
    assert [len(each.batch) for each in rounds if each is not None] == [6, 6, 6, 7]
    train_rows = set(RECORDING.rows("train").tolist())
    for each in rounds:
        assert each is not None
        assert each.weight == 0.5
        assert set(each.batch.rows.tolist()) <= train_rows
        rows = each.batch.rows.numpy()
        position = {tuple(image.ravel()[:50].tolist()): raw for image, raw in _pool_of(made)}
        raw = [position[tuple(image.numpy().ravel()[:50].tolist())] for image in each.batch.images]
        states = {"behavior": RECORDING.behavior[rows], "pupil_center": RECORDING.pupil_center[rows]} if which else {}
        expected = teacher.respond(np.concatenate(raw), recording="7-1-1", **states)
        np.testing.assert_allclose(each.batch.measured_responses(), expected, rtol=1e-4)
    seen = torch.cat([each.batch.images for each in rounds if each is not None]).unique(dim=0)
    assert len(seen) == 10  # each image twice, and some a third time


def _pool_of(made: Distillation) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs of the student, and raw images, of a pool."""
    pool, one = made._pools["7-1-1"], made._data["7-1-1"]
    inputs = pool.inputs(np.arange(len(pool)), (18, 32), one.standardisation)
    return [(each.numpy(), raw[None]) for each, raw in zip(inputs, pool.parts[0], strict=True)]


def test_what_is_drawn_follows_from_seed_and_epoch(teachers: tuple[Run, Ensemble]) -> None:
    made, again = (distillation(teachers[0], images="pink_noise", pool=30, per_epoch=20) for _ in range(2))
    draws = {epoch: made._draw("7-1-1", epoch) for epoch in (0, 1)}
    for epoch in (1, 0):  # in another order
        for one, other in zip(draws[epoch], again._draw("7-1-1", epoch), strict=True):
            np.testing.assert_array_equal(one, other)
    assert draws[0][0].tolist() != draws[1][0].tolist()
    assert len(set(draws[0][0].tolist())) == 20


def test_a_student_of_a_teacher_alone_imitates_it(teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    """With the weight 1 measured responses do not count: a student of two different recordings' noise is the same."""
    teacher = teachers[0]
    louder = {**RECORDING.arrays, "responses": RECORDING.arrays["responses"].copy()}
    train_rows = RECORDING.rows("train")
    louder["responses"][train_rows] = louder["responses"][train_rows[::-1]]  # the same mean and scale, other trials
    other = Recording(RECORDING.session, RECORDING.neurons, RECORDING.trials, **louder)
    students = [
        distilled(teacher, tmp_path / name, recording, distillation__weight=1.0, schedule__max_epochs=1)
        for name, recording in (("a", RECORDING), ("b", other))
    ]
    losses = [student.history["loss"].iloc[-1] for student in students]
    assert losses[0] == losses[1]


class StopAt(Callback):
    """Interrupts training, as Ctrl-C would."""

    def __init__(self, epoch: int, step: int) -> None:
        self.at = epoch, step

    def on_step(self, trainer: Any) -> None:
        if (trainer.epoch, trainer.step) == self.at:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_student_ends_with_the_same_weights(teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "distillation__images": "natural_like",
        "distillation__pool": 30,
        "distillation__per_epoch": 50,
        "recordings": [RECORDING, OTHER],
    }
    distilled(teachers[1], tmp_path / "whole", **keys)
    for epoch, step in ((0, 2), (1, 1)):
        with pytest.raises(KeyboardInterrupt):
            distilled(teachers[1], tmp_path / "stopped", callbacks=[StopAt(epoch, step)], **keys)
    done = distilled(teachers[1], tmp_path / "stopped", **keys)
    whole, stopped = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    facts = done.provenance["distillation"]
    assert facts["teacher"]["run"] == "both"
    assert facts["teacher"]["kind"] == "ensemble"
    assert facts["images"]["number"] == {"7-1-1": 30, "8-1-1": 30}
    assert facts["withheld_images"] is None
    assert done.recipe.distillation is not None
    assert done.recipe.distillation.teacher == "both"  # without the folders of this machine
    assert done.protocol == "image"  # what the student sees


@pytest.mark.slow
def test_another_teacher_does_not_go_on(teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        distilled(teachers[0], tmp_path / "run", callbacks=[StopAt(1, 1)])
    other = train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "one", seed=5, progress=False)
    with pytest.raises(InputError, match="it has another teacher"):
        distilled(other, tmp_path / "run")
    with pytest.raises(InputError, match=r"distillation\.weight is 0\.5 there and 0.25 now"):
        distilled(teachers[0], tmp_path / "run", distillation__weight=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        ("weight", 0.9, {}),
        ("images", "natural_like", {}),
        ("per_epoch", 10, {"images": "dead_leaves"}),
        ("pool", 5, {"images": "dead_leaves"}),
        ("images_weight", 0.1, {"images": "dead_leaves"}),
    ],
)
def test_every_key_has_an_effect(
    key: str, value: Any, needed: dict[str, Any], teachers: tuple[Run, Ensemble], tmp_path: Path
) -> None:
    base = {"pool": 20, "per_epoch": 40} | needed
    losses = [
        distilled(
            teachers[0],
            tmp_path / name,
            schedule__max_epochs=1,
            **{f"distillation__{k}": v for k, v in (base | change).items()},
        )
        .history["loss"]
        .iloc[-1]
        for name, change in (("without", {}), ("with", {key: value}))
    ]
    assert losses[0] != losses[1]


def test_images_of_files_and_of_recordings(teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (72, 128), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    files = distillation(teachers[0], images=str(tmp_path), pool=3)
    assert [part.shape for part in files._pools["7-1-1"].parts] == [(3, 1, 36, 64)]  # the size of the screen
    assert files.facts["images"]["number"] == {"7-1-1": 3}
    striate.write(small_recording("9-1-1", shape=(36, 64), seed=9, training=15), tmp_path / "other.zip")
    archive = distillation(teachers[0], images=str(tmp_path / "other.zip"))
    assert len(archive._pools["7-1-1"]) == 15  # training images, each once


def test_a_relative_path_in_a_recipe_is_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    recipe = '[distillation]\nteacher = "runs/five"\nimages = "{}"\n'
    for images, expected in (("photos", str(tmp_path / "photos")), ("dead_leaves", "dead_leaves")):
        (tmp_path / "mine.toml").write_text(recipe.format(images))
        settings = striate.training.load_recipe(tmp_path / "mine.toml").distillation
        assert settings is not None
        assert settings.teacher == str(tmp_path / "runs/five")
        assert settings.images == expected


def test_images_of_test_tiers_are_refused(teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    np.save(tmp_path / "stolen.npy", RECORDING.images[RECORDING.rows("test")[:1], 0])
    for settings, sentence in (
        ({"images": str(tmp_path / "stolen.npy")}, "1 of the images .* are images of test tiers of 7-1-1"),
        ({"withheld_images": True}, r"sensorium2022 does not allow training on the images of test tiers"),
    ):
        with pytest.raises(InputError, match=sentence) as refusal:
            distillation(teachers[0], **settings)
        assert_short(refusal.value, tmp_path)


def test_self_training_where_the_benchmark_allows_it(teachers: tuple[Run, Ensemble]) -> None:
    spec = load_benchmark().model_copy(update={"name": "open-images", "train_on_test_images": True})
    allowed = Recording(RECORDING.session, RECORDING.neurons, RECORDING.trials, **RECORDING.arrays, benchmark=spec)
    made = distillation(teachers[0], allowed, withheld_images=True, images="white_noise", pool=3)
    assert made.facts["withheld_images"] == {"7-1-1": 4}
    assert made.facts["images"]["number"] == {"7-1-1": 7}


@pytest.mark.slow
def test_a_student_of_a_teacher_that_has_seen_validation_trials(tmp_path: Path) -> None:
    teacher = train(small_recipe(schedule__max_epochs=1, data__folds=4), RECORDING, tmp_path / "fold", progress=False)
    student = distilled(teacher, tmp_path / "student", schedule__max_epochs=1)
    assert (
        student.trained_on_validation
        == "its teacher has seen them: training and validation trials were split anew (fold 0 of 4)"
    )
    with pytest.raises(InputError, match="would not count, because its teacher") as refusal:
        student.validation_correlation(RECORDING)
    assert_short(refusal.value, tmp_path)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda t, out: distilled(3, out), "teacher is the number 3|teacher is"),
        (lambda t, out: distilled("nowhere", out), "nowhere"),
        (
            lambda t, out: distilled(t[0], out, small_recording("9-1-1", shape=(36, 64))),
            "does not know recording 9-1-1",
        ),
        (lambda t, out: distilled(t[0], out, distillation__images="naturallike"), "neither a stimulus"),
        (lambda t, out: distilled(t[0], out, distillation__weight=0.0), "the teacher has no effect"),
        (lambda t, out: distilled(t[0], out, distillation__weight=2), "distillation.weight = 2"),
        (lambda t, out: distilled(None, out, distillation__weight=0.5), "no teacher: name a run or an ensemble"),
        (
            lambda t, out: distilled(t[0], out, small_recording(shape=(36, 64), neurons=14)),
            "does not predict the neurons",
        ),
    ],
)
def test_what_is_refused(call: Any, sentence: str, teachers: tuple[Run, Ensemble], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence) as refusal:
        call(teachers, tmp_path / "out")
    assert_short(refusal.value, tmp_path, teachers[0].folder.parent)
    assert not (tmp_path / "out").exists()
