"""The benchmarks compare like with like: the plain reference computes what striate computes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import small_recording

import striate
from benchmarks import cases, reference
from striate.models import Encoder, build_encoder
from striate.submissions import Submission, Truth, score
from striate.training import load_recipe
from striate.training.losses import batch_weight, poisson


def encoders() -> tuple[reference.Encoder, Encoder]:
    """The plain encoder and ours, with the same weights; positions are drawn without spread."""
    cortical = cases._cortex(9)
    cortical -= cortical.mean(axis=0)
    cortical /= np.abs(cortical).max()
    torch.manual_seed(1)
    ours = build_encoder(load_recipe("cnn-2022-behavior").model, {"a": cortical}, (4, 36, 64))
    plain = reference.Encoder(cortical, planes=4)
    readout = ours.readout("a")
    with torch.no_grad():
        readout.spread.zero_()
        plain.readout.spread.zero_()
        plain.readout.cortical.copy_(readout.cortical_positions)
        readout.features.normal_()
        readout.bias.normal_()
        for (_, a), (_, b) in pairs(plain, ours):
            a.copy_(b)
    return plain, ours


def pairs(
    plain: reference.Encoder, ours: Encoder
) -> Iterator[tuple[tuple[str, torch.Tensor], tuple[str, torch.Tensor]]]:
    """The same parameters of both, in the plain one's shape."""
    readout = ours.readout("a")
    assert plain.shifter is not None
    groups = (
        (plain.core, ours.core),
        (plain.readout.network, readout.position_network),
        (plain.shifter, ours.shifters),
    )
    for theirs, mine in groups:
        yield from zip(theirs.named_parameters(), mine.named_parameters(), strict=True)
    yield ("features", plain.readout.features), ("features", readout.features.T)
    yield ("bias", plain.readout.bias), ("bias", readout.bias)


def test_the_encoders_are_the_same() -> None:
    plain, ours = encoders()
    images, pupil = torch.randn(5, 4, 36, 64), torch.randn(5, 2)
    with torch.no_grad():
        expected = plain.eval()(images, pupil)
        torch.testing.assert_close(ours.eval().rates(images, "a", pupil), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(plain.regulariser(), ours.regulariser("a"))


@pytest.mark.slow
def test_a_step_of_training_is_the_same() -> None:
    plain, ours = (encoder.double().train() for encoder in encoders())
    images, pupil = torch.randn(6, 4, 36, 64).double(), torch.randn(6, 2).double()
    responses = torch.rand(6, 9).double()
    step = reference.step(plain, torch.optim.SGD(plain.parameters(), lr=0.0), images, responses, pupil, trials=865)
    loss = poisson(ours.rates(images, "a", pupil), responses).sum() * batch_weight(865, 6) + ours.regulariser("a")
    loss.backward()
    assert float(loss.detach()) == pytest.approx(step, rel=1e-12)
    readout = ours.readout("a")
    compared = 0
    for (name, theirs), (_, mine) in pairs(plain, ours):
        slope = readout.features.grad.T if name == "features" else mine.grad
        torch.testing.assert_close(slope, theirs.grad, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
        compared += 1
    assert compared == len(list(plain.parameters())) - 1  # that in the spread depends on what was drawn


@pytest.mark.slow
def test_the_batches_are_the_same(tmp_path: Path) -> None:
    striate.write(small_recording(training=20, shape=(144, 256)), tmp_path / "a.zip")
    trials = reference.Trials(tmp_path / "a.zip", tmp_path / "files")
    loaders = striate.loaders(
        striate.open(tmp_path / "a.zip"), behavior=True, pupil_center=True, batch_size=8, shuffle=False
    )
    for batch in loaders.train:
        rows = batch.rows.tolist()
        for name in ("images", "responses", "pupil_center"):
            plain = torch.stack([trials[row][name] for row in rows])
            torch.testing.assert_close(plain, getattr(batch, name), rtol=1e-4, atol=1e-5)
    assert sorted(len(batch["images"]) for batch in trials.batches(size=8)) == [4, 8, 8]


def test_the_scores_are_the_same(tmp_path: Path) -> None:
    recording = small_recording(neurons=30)
    truth = Truth.from_recording(recording)
    random = np.random.default_rng(0)
    predictions = truth.responses + random.random(truth.responses.shape, dtype=np.float32)
    submission = Submission.from_array(recording, predictions, tiers=truth.tiers, protocol="image", track="sensorium")
    live = truth.tier == "test"
    keys = [str(i) for i in truth.trial_idx[live]], truth.image_id[live].tolist()
    reference.write_csv(tmp_path / "p.csv", *keys, submission.predictions[live], "prediction")
    reference.write_csv(tmp_path / "r.csv", *keys, truth.responses[live], "responses")
    found = reference.score_csv(tmp_path / "p.csv", tmp_path / "r.csv")
    scores = score(submission, truth, bootstrap=0).tiers["test"]
    for name, value in found.items():
        assert value == pytest.approx(getattr(scores, name).mean, abs=1e-5), name


def test_every_case_names_an_aim_or_is_a_part_of_one() -> None:
    assert {"step", "inference", "first-epoch", "later-epoch", "score-csv", "write-submission"} <= set(cases.CASES)
    assert all(case.title for case in cases.CASES.values())
