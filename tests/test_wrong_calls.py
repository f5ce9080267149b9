"""Wrong calls of the public face: each ends in one sentence that says what was got and what is allowed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import striate
from striate.errors import InputError, StriateError
from striate.submissions import Submission, Truth
from tests.fixtures.recordings import small_recording
from tests.test_house import PUBLIC
from tests.training.small import small_recipe


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What calls need that is right."""
    folder = tmp_path_factory.mktemp("wrong")
    recording = small_recording()
    archive = striate.write(recording, folder / "recording.zip")
    run = striate.train(
        small_recipe(schedule__max_epochs=1), [recording, small_recording("8-1-1")], folder / "run", progress=False
    )
    submission = Submission.from_array(recording, np.ones((18, 12)), protocol="image")
    submission.write(folder / "submission.parquet")
    (folder / "empty").mkdir()
    (folder / "text.toml").write_text("no toml")
    (folder / "text.zip").write_text("no zip")
    return SimpleNamespace(
        archive=archive,
        batch=next(iter(striate.loaders(recording).train)),
        card=striate.score(submission, recording, bootstrap=0),
        data=striate.loaders(recording),
        encoder=run.encoder(),
        folder=folder,
        out=folder / "new",
        recording=recording,
        run=run,
        submission=submission,
        truth=Truth.from_recording(recording),
        withheld=small_recording(withhold=True),
    )


def module(outputs: int = 12) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, outputs))


Call = Callable[[SimpleNamespace], Any]

CALLS: list[tuple[str, Call]] = [
    # a recording
    (r"no.zip", lambda h: striate.open("no.zip")),
    (r"got NoneType", lambda h: striate.open(None)),  # type: ignore[call-overload]
    (r"got int", lambda h: striate.open(7)),  # type: ignore[call-overload]
    (r"text.zip", lambda h: striate.open(h.folder / "text.zip")),
    (r"empty", lambda h: striate.open(h.folder / "empty")),
    (r"did you mean sensorium2022", lambda h: striate.open("sensorium2202/27204-5-13")),
    (r"one of them", lambda h: striate.open("sensorium2022")),
    (r"session names a single recording", lambda h: striate.open([h.archive], session="1-1-1")),  # type: ignore[call-overload]
    (r"open already", lambda h: striate.open(h.recording, session="1-1-1")),
    (r"cannot name a session", lambda h: striate.open(h.archive, session="a/b")),
    (r"cannot name a session", lambda h: striate.open(h.archive, session=7)),  # type: ignore[call-overload]
    (r"got ndarray of shape \(2, 2\)", lambda h: striate.open(np.zeros((2, 2)))),
    (r"got int", lambda h: striate.open([h.archive, 7])),
    # training
    (r"expected recordings|looks like a recording", lambda h: striate.train(h.archive, "cnn-small", h.out)),
    (r"did you mean 'cnn'", lambda h: striate.train("cn", h.archive, h.out)),
    (r"recipe is int", lambda h: striate.train(7, h.archive, h.out)),  # type: ignore[arg-type]
    (r"recipe is NoneType", lambda h: striate.train(None, h.archive, h.out)),  # type: ignore[arg-type]
    (r"not valid TOML", lambda h: striate.train(h.folder / "text.toml", h.archive, h.out)),
    (r"no key 'modle'", lambda h: striate.train({"modle": {}}, h.archive, h.out)),
    (r"no.zip", lambda h: striate.train("cnn-small", "no.zip", h.out)),
    (r"got ndarray", lambda h: striate.train("cnn-small", h.recording.images, h.out)),
    (r"got Run", lambda h: striate.train("cnn-small", h.run, h.out)),
    (r"got TrialLoader", lambda h: striate.train("cnn-small", [h.data.train], h.out)),
    (r"no recordings", lambda h: striate.train("cnn-small", [], h.out)),
    (r"have the session 7-1-1", lambda h: striate.train("cnn-small", [h.recording, h.archive], h.out)),
    (r"out is NoneType", lambda h: striate.train("cnn-small", h.archive, None)),  # type: ignore[arg-type]
    (r"out is ''", lambda h: striate.train("cnn-small", h.archive, "")),
    (r"finished run.*overwrite=True", lambda h: striate.train("cnn-small", h.archive, h.run.folder)),
    (r"give one seed a call", lambda h: striate.train("cnn-small", h.archive, h.out, seed=[0, 1])),  # type: ignore[arg-type]
    (r"seed must not be negative", lambda h: striate.train("cnn-small", h.archive, h.out, seed=-1)),
    (r"seed is '0.5'", lambda h: striate.train("cnn-small", h.archive, h.out, seed=0.5)),  # type: ignore[arg-type]
    (r"seed is 'None'", lambda h: striate.train("cnn-small", h.archive, h.out, seed=None)),  # type: ignore[arg-type]
    (r"no device 'gpu'", lambda h: striate.train("cnn-small", h.archive, h.out, device="gpu")),
    (r"device", lambda h: striate.train("cnn-small", h.archive, h.out, device=7)),  # type: ignore[arg-type]
    (r"core is int", lambda h: striate.train("cnn-small", h.archive, h.out, core=7)),  # type: ignore[arg-type]
    (r"no is no run", lambda h: striate.train("cnn-small", h.archive, h.out, core="no")),
    (
        r"overrides: .*batchsize",
        lambda h: striate.train("cnn-small", h.archive, h.out, overrides={"data.batchsize": 1}),
    ),
    (
        r"overrides: data\.batch_size = 0",
        lambda h: striate.train("cnn-small", h.archive, h.out, overrides={"data.batch_size": 0}),
    ),
    (r"overrides: .*key=value", lambda h: striate.train("cnn-small", h.archive, h.out, overrides=["data.batch_size"])),
    (r"overrides: ", lambda h: striate.train("cnn-small", h.archive, h.out, overrides="lr=[")),
    (r"overrides: ", lambda h: striate.train("cnn-small", h.archive, h.out, overrides={"a b": 1})),
    (r"overrides is int", lambda h: striate.train("cnn-small", h.archive, h.out, overrides=7)),  # type: ignore[arg-type]
    (r"overrides: ", lambda h: striate.train("cnn-small", h.archive, h.out, overrides={"data": 1})),
    (r"core has .*overrides", lambda h: striate.train("cnn-small", h.archive, h.out, core=h.run)),
    # loaders
    (r"no.zip", lambda h: striate.loaders("no.zip")),
    (r"got ndarray", lambda h: striate.loaders(h.recording.images)),
    (r"given twice", lambda h: striate.loaders([h.recording, h.recording])),
    (r"no recordings", lambda h: striate.loaders([])),
    (r"did you mean 'batch_size'", lambda h: striate.loaders(h.recording, batchsize=3)),
    (r"did you mean 'behavior'", lambda h: striate.loaders(h.recording, behaviour=True)),
    (r"batch_size = 0", lambda h: striate.loaders(h.recording, batch_size=0)),
    (r"image_size", lambda h: striate.loaders(h.recording, image_size=36)),
    (r"distort", lambda h: striate.loaders(h.recording, image_size=(36, 36))),
    (r"settings", lambda h: striate.loaders(h.recording, 7)),  # type: ignore[call-overload]
    (r"settings", lambda h: striate.loaders(h.recording, "behavior")),  # type: ignore[call-overload]
    (r"no tier 'val': did you mean 'validation'", lambda h: striate.loaders(h.recording, tiers="val")),
    (r"tiers is 3", lambda h: striate.loaders(h.recording, tiers=3)),
    (r"tiers is empty", lambda h: striate.loaders(h.recording, tiers=[])),
    (r"seed is", lambda h: striate.loaders(h.recording, seed="0")),
    (r"workers is", lambda h: striate.loaders(h.recording, workers=1.5)),
    (r"withheld", lambda h: striate.loaders(small_recording(without_behavior=True), behavior=True)),
    (r"did you mean 'validation'", lambda h: h.data.val),
    (r"did you mean 'validation'", lambda h: h.data["val"]),
    (r"no tier", lambda h: h.data[0]),
    (r"did you mean 'cycle\('train'\)'|cycle", lambda h: striate.loaders([h.recording]).train),  # type: ignore[attr-defined]
    (r"did you mean 'behavior'", lambda h: h.batch.behaviour),
    (r"did you mean 'images'", lambda h: h.batch.image),
    # predictions
    (r"There is no run or ensemble at no", lambda h: striate.predict("no", h.recording)),
    (r"recording, or its path or name; got ndarray", lambda h: striate.predict(h.run, h.recording.images)),
    (r"Give one at a time", lambda h: striate.predict(h.run, [h.recording])),  # type: ignore[arg-type]
    (r"no.zip", lambda h: striate.predict(h.run, "no.zip")),
    (r"int cannot predict", lambda h: striate.predict(7, h.recording)),  # type: ignore[arg-type]
    (r"cannot predict", lambda h: striate.predict(torch.nn.Linear, h.recording)),
    (r"NoneType cannot predict", lambda h: striate.predict(None, h.recording)),  # type: ignore[arg-type]
    (r"no tier 'tset'", lambda h: striate.predict(h.run, h.recording, "tset")),
    (r"tiers is 3", lambda h: striate.predict(h.run, h.recording, 3)),  # type: ignore[arg-type]
    (r"no trials of tier 'final_test'", lambda h: striate.predict(h.run, h.recording, "final_test")),
    (r"was not trained on recording 9-1-1", lambda h: striate.predict(h.run, small_recording("9-1-1"))),
    (r"no readout for recording '9-1-1'.*core=", lambda h: striate.predict(h.encoder, small_recording("9-1-1"))),
    (r"no device 'gpu'", lambda h: striate.predict(h.run, h.recording, device="gpu")),
    (r"takes neither a batch nor its images", lambda h: striate.predict(module(), h.recording)),
    (r"batch\.images", lambda h: striate.predict(lambda batch: batch.mean(), h.recording)),
    (r"batch\.images", lambda h: striate.predict(lambda batch: torch.flatten(batch), h.recording)),
    (r"rates of shape", lambda h: striate.predict(lambda batch: torch.ones(3), h.recording)),
    (r"NoneType", lambda h: striate.predict(lambda batch: None, h.recording)),
    (r"give a batch, or say whose", lambda h: h.encoder(torch.zeros(2, 1, 18, 32))),
    (r"Expected a batch", lambda h: h.encoder(h.recording.images)),
    (r"needs \(batch, 1, 18, 32\)", lambda h: h.encoder.rates(torch.zeros(2, 18, 32), "7-1-1")),
    (r"no readout for recording '7-1-2'", lambda h: h.encoder.rates(torch.zeros(2, 1, 18, 32), "7-1-2")),
    (r"several recordings", lambda h: h.run.respond(h.recording.images)),
    (r"did you mean", lambda h: h.run.hist),
    (r"is NoneType", lambda h: striate.training.Run.open(None)),  # type: ignore[arg-type]
    # submissions and scores
    (r"no tier", lambda h: striate.score(h.submission, h.truth, tiers="tests")),
    (r"tiers is 3", lambda h: striate.score(h.submission, h.truth, tiers=3)),  # type: ignore[arg-type]
    (r"of type ndarray", lambda h: striate.score(np.ones((18, 12)), h.truth)),  # type: ignore[arg-type]
    (r"does not exist", lambda h: striate.score("no.parquet", h.truth)),
    (r"got int", lambda h: striate.score(h.submission, 7)),  # type: ignore[arg-type]
    (r"no submission", lambda h: striate.score(h.archive, h.truth)),
    (r"withheld", lambda h: striate.score(h.submission, h.withheld)),
    (r"bootstrap is", lambda h: striate.score(h.submission, h.truth, bootstrap=1.5)),  # type: ignore[arg-type]
    (r"bootstrap of -1 resamples", lambda h: striate.score(h.submission, h.truth, bootstrap=-1)),
    (r"seed is", lambda h: striate.score(h.submission, h.truth, seed=[0, 1])),  # type: ignore[arg-type]
    (r"shape \(3, 12\)", lambda h: Submission.from_array(h.recording, np.ones((3, 12)), protocol="image")),
    (r"real numbers", lambda h: Submission.from_array(h.recording, "predictions.npy", protocol="image")),
    (r"negative|≥ 0", lambda h: Submission.from_array(h.recording, -np.ones((18, 12)), protocol="image")),
    (r"protocol", lambda h: Submission.from_array(h.recording, np.ones((18, 12)), protocol="images")),
    (r"protocol", lambda h: Submission.from_array(h.recording, np.ones((18, 12)), protocol=7)),  # type: ignore[arg-type]
    (r"track", lambda h: Submission.from_array(h.recording, np.ones((18, 12)), protocol="image", track="Sensorium 3/")),
    (r"got DataFrame", lambda h: Submission.from_array(pd.DataFrame(), np.ones((18, 12)), protocol="image")),  # type: ignore[arg-type]
    (r"cannot predict|not callable", lambda h: Submission.from_callable(h.recording, 7, protocol="image")),  # type: ignore[arg-type]
    (r"exists already.*overwrite=True", lambda h: h.submission.write(h.folder / "submission.parquet")),
    (r"got int", lambda h: Truth.from_recording(7)),  # type: ignore[arg-type]
    (r"tier 'tset' was not scored|Tier 'tset'", lambda h: h.card.per_neuron("tset")),
    (r"got int", lambda h: striate.submissions.validate(h.submission, 7)),  # type: ignore[arg-type]
    # recordings
    (r"got int", lambda h: striate.check(7)),  # type: ignore[arg-type]
    (r"one at a time", lambda h: striate.check([h.archive])),  # type: ignore[arg-type]
    (r"no.zip", lambda h: striate.check("no.zip")),
    (r"got int", lambda h: striate.write(7, h.out)),  # type: ignore[arg-type]
    (r"path is NoneType", lambda h: striate.write(h.recording, None)),  # type: ignore[arg-type]
    (r"exists already.*overwrite=True", lambda h: striate.write(h.recording, h.archive)),
    (r"no trials of tier 'final_test'", lambda h: h.recording.rows("final_test")),
    (r"no tier", lambda h: h.recording.rows(3)),
    (r"did you mean 'behavior'", lambda h: h.recording.behaviour),
    (r"did you mean 'neurons'", lambda h: h.recording.neuron),
    (r"did you mean 'simulate'", lambda h: striate.simulat),  # type: ignore[attr-defined]
    (r"striate has no attribute 'plot'", lambda h: striate.plot),  # type: ignore[attr-defined]
    # simulations
    (r"no setting 'nerons'", lambda h: striate.simulate(nerons=3)),
    (r"neurons", lambda h: striate.simulate(neurons="many")),
    (r"neurons", lambda h: striate.simulate(neurons=0)),
    (r"track", lambda h: striate.simulate(track="sensorium++")),
    (r"seed", lambda h: striate.simulate(neurons=3, train=10, seed="one")),  # type: ignore[arg-type]
    (r"seed", lambda h: striate.simulate(neurons=3, train=10, seed=-1)),
    (r"seed", lambda h: striate.simulate(neurons=3, train=10, seed=[0, 1])),  # type: ignore[arg-type]
    # data sets and reports
    (r"no dataset|sensorium2022", lambda h: striate.fetch("sensorium2202")),
    (r"fetch|dataset", lambda h: striate.fetch(7)),  # type: ignore[arg-type]
    (r"no recording or file", lambda h: striate.fetch("sensorium2022", ["1-1-1"])),
    (r"needs a model", lambda h: striate.report(h.recording, {})),
    (r"exists already", lambda h: striate.report(h.recording, {"run": h.run}, h.archive)),
    (r"got int", lambda h: striate.report(h.recording, {"run": 7}, h.out)),
    (r"Expected runs and submissions, got int", lambda h: striate.report(h.recording, 7, h.out)),
    (r"got int", lambda h: striate.report(7, h.run, h.out)),
    # metrics
    (r"same trials × neurons", lambda h: striate.metrics.single_trial_correlation(np.ones((3, 2)), np.ones((3, 3)))),
    (r"real numbers", lambda h: striate.metrics.single_trial_correlation("a", "b")),
    (r"have shape \(3,\)", lambda h: striate.metrics.single_trial_correlation(np.ones(3), np.ones(3))),
]


@pytest.mark.slow
@pytest.mark.parametrize(("says", "call"), CALLS, ids=[f"{i}: {says[:30]}" for i, (says, _) in enumerate(CALLS)])
def test_a_wrong_call_ends_in_one_sentence(at_hand: SimpleNamespace, says: str, call: Call) -> None:
    before = sorted(at_hand.folder.rglob("*"))
    with pytest.raises(StriateError, match=says) as caught:
        call(at_hand)
    said = str(caught.value.args[0])  # whole: str() would cut it at 300 characters
    assert len(said) <= 300, said
    assert "\n" not in said
    assert " --" not in said, "options of the command line mean nothing in Python"
    assert sorted(at_hand.folder.rglob("*")) == before, "nothing is half written"


def test_there_are_about_a_hundred() -> None:
    assert len(CALLS) > 100


@pytest.mark.slow
def test_recordings_are_taken_by_path_wherever_they_are_taken(at_hand: SimpleNamespace, tmp_path: Path) -> None:
    h, path = at_hand, at_hand.archive
    opened = striate.open(path)
    assert striate.open(opened) is opened
    assert [r.session for r in striate.open([path, h.recording])] == ["7-1-1", "7-1-1"]
    recipe = small_recipe(schedule__max_epochs=1)
    run = striate.train(recipe, str(path), tmp_path / "one", progress=False)
    assert striate.train(recipe, [path], tmp_path / "listed", progress=False).sessions == run.sessions
    by_path, by_recording = striate.predict(run, path), striate.predict(run.folder, opened)
    np.testing.assert_array_equal(by_path.values, by_recording.values)
    assert striate.loaders(path).session == "7-1-1"
    assert list(striate.loaders([path])) == ["7-1-1"]
    submission = Submission.from_array(str(path), by_path.values, protocol="image")
    scored = [
        striate.score(submission, truth, bootstrap=0).tiers for truth in (path, opened, Truth.from_recording(path))
    ]
    assert scored[0] == scored[1] == scored[2]
    assert striate.submissions.validate(submission, path) == {"test": 18}
    assert striate.data.Standardisation.from_recording(path).session == "7-1-1"
    page = striate.report(path, [run, at_hand.folder / "submission.parquet"], tmp_path / "report.html", bootstrap=0)
    assert "submission" in page.read_text()


@pytest.mark.slow
def test_a_recording_is_checked_as_its_archive_is(at_hand: SimpleNamespace) -> None:
    expected = {f.rule for f in striate.check(at_hand.archive)}
    for given in (striate.open(at_hand.archive), at_hand.recording):
        assert {f.rule for f in striate.check(given)} - {"session-name"} == expected - {"session-name"}
    simulated = striate.simulate(neurons=40, train=20, validation=5, test_images=3, image_shape=(36, 64), seed=0)
    assert striate.check(simulated).ok
    assert striate.loaders(simulated).session == simulated.recording.session


def test_modules_predict_from_images_or_batches(at_hand: SimpleNamespace) -> None:
    recording = at_hand.recording
    weights = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.Linear(18 * 32, 12), torch.nn.Softplus()
    )

    class OfBatches(torch.nn.Module):
        def forward(self, batch: Any) -> torch.Tensor:
            assert not self.training
            return weights.eval()(batch.images)

    data = {"image_size": (18, 32)}
    weights.train()
    of_images = striate.predict(weights, recording, data=data).values
    assert weights.training, "as it was"
    np.testing.assert_array_equal(striate.predict(OfBatches(), recording, data=data).values, of_images)
    expected = striate.predict(lambda batch: weights.eval()(batch.images), recording, data=data)
    np.testing.assert_array_equal(of_images, expected.values)


def test_an_encoder_of_one_recording_takes_images(at_hand: SimpleNamespace, tmp_path: Path) -> None:
    run = striate.train(small_recipe(schedule__max_epochs=1), at_hand.recording, tmp_path / "run", progress=False)
    encoder, images = run.encoder(), torch.rand(3, 1, 18, 32)
    with torch.no_grad():
        assert torch.equal(encoder(images), encoder.rates(images, "7-1-1"))


def test_the_rooms_are_attributes() -> None:
    rooms = [name for name, module in PUBLIC.items() if module == f"striate.{name}"]
    assert len(rooms) == 17
    for name in rooms:
        assert getattr(striate, name).__name__ == f"striate.{name}"
        assert name in dir(striate)
    assert callable(striate.report)
    assert not hasattr(striate, "nonsense")


def test_unknown_attributes_are_still_attribute_errors(at_hand: SimpleNamespace) -> None:
    import copy

    for thing in (at_hand.recording, at_hand.data, at_hand.batch, at_hand.run):
        assert not hasattr(thing, "nonsense")
        assert getattr(thing, "nonsense", 3) == 3
        assert type(copy.copy(thing)) is type(thing)
    with pytest.raises(InputError):
        at_hand.recording.nonsense  # noqa: B018
