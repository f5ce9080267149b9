"""The demonstration: from simulated archives to scored submissions and a report, in a few minutes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate import report, simulate
from striate._internal.atomic_write import refuse_existing
from striate.data import Standardisation
from striate.errors import InputError, StriateError
from striate.recordings import Recording, check
from striate.recordings import open as open_recording
from striate.simulate import PopulationSettings, RecordingSettings, SimulatedTruth, expected_given_image
from striate.submissions import Submission, Truth, validate
from striate.training import Run, load_recipe, predict, train

Say = Callable[[str], None]

_TRACK: simulate.Track = "sensorium"
_RECIPES = {"LN": "ln-small", "CNN": "cnn-small"}


@dataclass(frozen=True)
class DemoSettings:
    """How large the demonstration is; the defaults take a few minutes on two cores.

    Attributes
    ----------
    neurons, train, validation, test_images, repeats
        Of each simulated recording; `test_images` is the number of live and of final test images.
    bootstrap
        Resamples for the intervals.
    seed
        Of everything. It is known, because a demonstration has nothing to hide; a real simulation draws its own.
    """

    neurons: int = 1000
    train: int = 1500
    validation: int = 150
    test_images: int = 40
    repeats: int = 10
    bootstrap: int = 1000
    seed: int = 2022


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found.

    Attributes
    ----------
    truth
        Measured responses of the withheld tiers.
    contenders
        Constant prediction, LN and CNN, in this order.
    reference
        The oracle: it knows the expected response to each image.
    differences
        Paired differences between neighbours.
    report
        The page that was written.
    """

    truth: Truth
    contenders: list[report.Contender]
    reference: report.Contender
    differences: list[report.Difference]
    report: Path


def run_demo(
    out: Path, settings: DemoSettings | None = None, *, overwrite: bool = False, say: Say = lambda _text: None
) -> DemoResult:
    """Simulate two recordings, train two models on both, predict what one withholds, score, and draw a report.

    Parameters
    ----------
    out
        Folder for everything that is made: ``public/`` (the archives), ``truth/``, ``runs/``, ``submissions/``
        and ``report.html``.
    settings
        How large it is.
    overwrite
        Whether a demonstration that stands there may be replaced. One that was killed goes on by itself.
    say
        Told what is being done, a line at a time.

    Returns
    -------
    DemoResult

    Raises
    ------
    InputError
        If a report stands in `out` already.
    """
    plan = settings or DemoSettings()
    page = out / "report.html"
    refuse_existing(page, overwrite)
    say("Simulating a competition recording (test responses withheld) and a pre-training recording …")
    competition, pretraining, truth_file = _simulate(out, plan)
    for path in (competition, pretraining):
        found = check(path)
        if not found.ok:
            raise StriateError(f"The simulated recording {path} is not valid: {found.with_severity('error')[0]}")
        say(
            f"  {path.name}: valid ({len(found.with_severity('warning'))} warnings, {len(found.with_severity('note'))} notes)"
        )
    recordings = [open_recording(competition), open_recording(pretraining)]
    target = recordings[0]
    runs = {}
    for name, recipe in _RECIPES.items():
        say(f"Training the {name} on both recordings (recipe {recipe}) …")
        runs[name] = _trained(recipe, recordings, out / "runs" / name.lower(), plan.seed, overwrite)
        best = runs[name].provenance["best_validation_correlation"]
        say(f"  {runs[name].provenance['epochs']} epochs, validation correlation {best:.3f}")
    say("Predicting live and final test of the withheld recording; scoring against the truth …")
    known = SimulatedTruth.read(truth_file)
    truth = Truth.from_recording(known.reveal(target))
    submissions = {
        "constant": _constant(target),
        **{name: Submission.from_predictions(predict(run, target), track=_TRACK) for name, run in runs.items()},
    }
    contenders = []
    for name, submission in submissions.items():
        validate(submission, target)
        submission.write(out / "submissions" / f"{name.lower()}.parquet", overwrite=True)
        contenders.append(report.contend(name, submission, truth, bootstrap=plan.bootstrap))
    reference = report.contend("oracle", _oracle(known, target), truth, bootstrap=plan.bootstrap)
    compared = report.differences(contenders, truth, resamples=plan.bootstrap)
    say("Drawing the report …")
    encoder = runs["CNN"].encoder()
    report.write_report(
        report.Material(
            title="A simulated mouse, predicted",
            summary=[
                "Two simulated recordings share their test images; the competition recording withholds its test responses. "
                "A linear-nonlinear model (LN) and a convolutional network (CNN) were trained on both, predicted what is "
                "withheld, and were scored against the truth.",
                "The oracle knows the expected response to each image: no model that sees only the image can do better.",
            ],
            recording=target,
            truth=truth,
            contenders=contenders,
            differences=compared,
            reference=reference,
            histories={name: run.history for name, run in runs.items()},
            positions=encoder.receptive_field_pixels(target.session, target.image_shape),
            unit_ids=runs["CNN"].unit_ids(target.session),
            true_positions=known.centers,
            provenance={
                "command": "striate demo",
                "recordings": ", ".join(f"{r.session} ({r.fingerprint[:12]})" for r in recordings),
                "recipes": ", ".join(f"{name}: {recipe}" for name, recipe in _RECIPES.items()),
                "protocol": runs["CNN"].protocol,
                "seed": str(plan.seed),
            },
        ),
        page,
        overwrite=overwrite,
    )
    return DemoResult(truth, contenders, reference, compared, page)


def _simulate(out: Path, plan: DemoSettings) -> tuple[Path, Path, Path]:
    """Write both recordings and the truth about the withheld one; what an earlier, killed demonstration wrote is used."""
    settings = RecordingSettings(
        train=plan.train,
        validation=plan.validation,
        test_images=plan.test_images,
        final_images=plan.test_images,
        repeats=plan.repeats,
    )
    written = list(
        simulate.write_benchmark(
            out / "public",
            truth=out / "truth",
            overwrite=True,
            pretraining=1,
            competition=(_TRACK,),
            neurons=PopulationSettings(neurons=plan.neurons),
            settings=settings,
            seed=plan.seed,
        )
    )
    competition, pretraining = written
    if competition.truth_path is None:
        raise StriateError("The truth about the simulated recording was not written.")
    return competition.recording_path, pretraining.recording_path, competition.truth_path


def _trained(recipe: str, recordings: list[Recording], folder: Path, seed: int, overwrite: bool) -> Run:
    """Train, go on with what was interrupted, or take what an interrupted demonstration had finished."""
    try:
        return train(recipe, recordings, folder, seed=seed)
    except InputError:
        if overwrite:
            return train(recipe, recordings, folder, seed=seed, overwrite=True)
        there = Run.open(folder)
        learnt_from = [entry["fingerprint"] for entry in there.provenance["recordings"]]
        same = there.recipe == load_recipe(recipe) and there.provenance["seed"] == seed
        if there.finished and same and learnt_from == [recording.fingerprint for recording in recordings]:
            return there
        raise


def _constant(recording: Recording) -> Submission:
    """Each neuron's mean training response, whatever is shown."""
    mean = Standardisation.from_recording(recording).responses(recording.measured_responses("train")).mean(axis=0)
    count = sum(len(recording.rows(tier)) for tier in ("test", "final_test"))
    return Submission.from_array(recording, np.tile(mean, (count, 1)), protocol="image", track=_TRACK)


def _oracle(known: SimulatedTruth, recording: Recording) -> Submission:
    """Return the expected response to each image, for an observer who knows neither behaviour nor eye position."""
    rows = np.concatenate([recording.rows(tier) for tier in ("test", "final_test")])
    means = Standardisation.from_recording(recording).responses(expected_given_image(known, recording, rows))
    return Submission.from_array(recording, means, protocol="image", track=_TRACK)
