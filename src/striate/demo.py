"""Demonstration of the whole workflow, from simulated recordings to scored submissions and a report, in a few minutes."""

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
from striate.training.provenance import with_image_size

_TRACK = "sensorium"
_RECIPES = {"LN": "ln-small", "CNN": "cnn-small"}


@dataclass(frozen=True)
class DemoSettings:
    """Size of the demonstration. The default takes a few minutes on two cores.

    Attributes
    ----------
    neurons
        Number of neurons of each simulated recording.
    train, validation
        Number of training and of validation trials of each recording.
    test_images
        Number of live test images, and of final test images.
    repeats
        Number of repeats of each test image.
    bootstrap
        Number of resamples for the confidence intervals.
    seed
        Seed of the simulation and of training. It is public, because a demonstration has nothing to withhold. A competition
        uses a secret seed.

    Examples
    --------
    >>> DemoSettings(neurons=50).train
    1500
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
    """Result of the demonstration.

    Attributes
    ----------
    truth
        Measured responses of the withheld tiers.
    models
        The constant prediction, the LN and the CNN, in this order.
    reference
        The oracle, which predicts the expected response to each image.
    differences
        Paired differences between neighbours in `models`.
    report
        Path of the report.

    Examples
    --------
    >>> result = run_demo(Path("demo"))  # doctest: +SKIP
    >>> [model.name for model in result.models]  # doctest: +SKIP
    ['constant', 'LN', 'CNN']
    """

    truth: Truth
    models: list[report.ScoredModel]
    reference: report.ScoredModel
    differences: list[report.PairedDifference]
    report: Path


def run_demo(
    out: Path,
    settings: DemoSettings | None = None,
    *,
    overwrite: bool = False,
    log: Callable[[str], None] = lambda _message: None,
) -> DemoResult:
    """Simulate two recordings, train two models on both, predict and score the withheld responses, and write a report.

    A demonstration that was interrupted is resumed by calling the function again.

    Parameters
    ----------
    out
        Folder of the results: ``public/`` (the archives), ``truth/``, ``runs/``, ``submissions/`` and ``report.html``.
    settings
        Size of the demonstration.
    overwrite
        Whether to replace a finished demonstration in `out`.
    log
        Function called with a progress message before and after each step.

    Returns
    -------
    DemoResult
        Scored models and the path of the report.

    Raises
    ------
    InputError
        If `out` contains a report and `overwrite` is False.

    Examples
    --------
    >>> result = run_demo(Path("demo"))  # doctest: +SKIP
    >>> result.report  # doctest: +SKIP
    PosixPath('demo/report.html')
    """
    plan = settings or DemoSettings()
    page = out / "report.html"
    refuse_existing(page, overwrite)
    log("Simulating a competition recording (test responses withheld) and a pre-training recording …")
    competition, pretraining, truth_file = _simulate(out, plan)
    for path in (competition, pretraining):
        found = check(path)
        if not found.ok:
            raise StriateError(f"The simulated recording {path} is not valid: {found.with_severity('error')[0]}")
        log(
            f"  {path.name}: valid ({len(found.with_severity('warning'))} warnings, {len(found.with_severity('note'))} notes)"
        )
    recordings = [open_recording(competition), open_recording(pretraining)]
    target = recordings[0]
    runs = {}
    for name, recipe in _RECIPES.items():
        log(f"Training the {name} on both recordings (recipe {recipe}) …")
        runs[name] = _train_or_resume(recipe, recordings, out / "runs" / name.lower(), plan.seed, overwrite)
        best = runs[name].provenance["best_validation_correlation"]
        log(f"  {runs[name].provenance['epochs']} epochs, validation correlation {best:.3f}")
    log("Predicting live and final test of the withheld recording; scoring against the truth …")
    simulated_truth = SimulatedTruth.read(truth_file)
    truth = Truth.from_recording(simulated_truth.reveal(target))
    submissions = {
        "constant": _constant_submission(target),
        **{name: Submission.from_predictions(predict(run, target), track=_TRACK) for name, run in runs.items()},
    }
    models = []
    for name, submission in submissions.items():
        validate(submission, target)
        submission.write(out / "submissions" / f"{name.lower()}.parquet", overwrite=True)
        models.append(report.score_model(name, submission, truth, bootstrap=plan.bootstrap))
    reference = report.score_model(
        "oracle", _oracle_submission(simulated_truth, target), truth, bootstrap=plan.bootstrap
    )
    differences = report.paired_differences(models, truth, resamples=plan.bootstrap)
    log("Drawing the report …")
    encoder = runs["CNN"].encoder()
    report.write_report(
        report.ReportData(
            title="A simulated mouse, predicted",
            summary=[
                "Two simulated recordings share their test images; the competition recording withholds its test responses. "
                "A linear-nonlinear model (LN) and a convolutional network (CNN) were trained on both, predicted what is "
                "withheld, and were scored against the truth.",
                "The oracle predicts the expected response to each image: no model that sees only the image can do better.",
            ],
            recording=target,
            truth=truth,
            models=models,
            differences=differences,
            reference=reference,
            histories={name: run.history for name, run in runs.items()},
            positions=encoder.receptive_field_pixels(target.session, target.image_shape),
            unit_ids=runs["CNN"].unit_ids(target.session),
            true_positions=simulated_truth.centers,
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
    return DemoResult(truth, models, reference, differences, page)


def _simulate(out: Path, plan: DemoSettings) -> tuple[Path, Path, Path]:
    """Write both recordings and the truth of the withheld one, or reuse the files of an interrupted demonstration."""
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


def _train_or_resume(recipe: str, recordings: list[Recording], folder: Path, seed: int, overwrite: bool) -> Run:
    """Train a model, resume its training, or reuse the finished run of an interrupted demonstration."""
    try:
        return train(recipe, recordings, folder, seed=seed)
    except InputError:
        if overwrite:
            return train(recipe, recordings, folder, seed=seed, overwrite=True)
        run = Run.open(folder)
        fingerprints = [entry["fingerprint"] for entry in run.provenance["recordings"]]
        wanted, size = load_recipe(recipe), run.recipe.data.image_size
        wanted = wanted if isinstance(size, str) else with_image_size(wanted, size)  # runs record the resolved size
        same = run.recipe == wanted and run.provenance["seed"] == seed
        if run.finished and same and fingerprints == [recording.fingerprint for recording in recordings]:
            return run
        raise


def _constant_submission(recording: Recording) -> Submission:
    """Predict the mean training response of each neuron for every image."""
    mean = Standardisation.from_recording(recording).responses(recording.measured_responses("train")).mean(axis=0)
    count = sum(len(recording.rows(tier)) for tier in ("test", "final_test"))
    return Submission.from_array(recording, np.tile(mean, (count, 1)), protocol="image", track=_TRACK)


def _oracle_submission(simulated_truth: SimulatedTruth, recording: Recording) -> Submission:
    """Predict the expected response to each image, averaged over behaviour and eye position."""
    rows = np.concatenate([recording.rows(tier) for tier in ("test", "final_test")])
    means = Standardisation.from_recording(recording).responses(expected_given_image(simulated_truth, recording, rows))
    return Submission.from_array(recording, means, protocol="image", track=_TRACK)
