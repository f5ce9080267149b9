"""The command ``simulate``: recordings of simulated neurons with a known ground truth."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from striate._internal.paths import expand_path
from striate.cli.app import DATA, app, errors

if TYPE_CHECKING:
    from striate.simulate import RecordingSettings, SimulationFiles

console = Console(highlight=False)

_FULL_SIZE = {"neurons": 7776, "train": 4490, "validation": 500, "test_images": 100, "final_images": 100}

_BENCHMARK, _SIZE, _NEURONS, _FILES = "Recordings", "Size of each recording", "Neurons", "Files and secrets"


def _size(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_SIZE, show_default=False)


def _neuron_setting(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_NEURONS, show_default=False)


@app.command("simulate", rich_help_panel=DATA)
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings, which can be published.", show_default=False)],
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Name of a benchmark, or path of its TOML file. Default: sensorium2022.",
            rich_help_panel=_BENCHMARK,
            show_default=False,
        ),
    ] = None,
    pretraining: Annotated[
        int | None,
        typer.Option(
            help="Number of pre-training recordings. Default: 1, or 0 with competition recordings.",
            rich_help_panel=_BENCHMARK,
            show_default=False,
        ),
    ] = None,
    competition: Annotated[
        str,
        typer.Option(
            help="Competition recordings, which have final test images and withhold what their track withholds: the name of a "
            "track, all (one recording for each track), or none.",
            metavar="TRACK",
            rich_help_panel=_BENCHMARK,
        ),
    ] = "none",
    full_size: Annotated[
        bool,
        typer.Option(
            "--full-size",
            help="Use the size of a real recording: 7,776 neurons, 4,490 training and 500 validation trials, 100 live and "
            "100 final test images. The options below override these numbers.",
            rich_help_panel=_SIZE,
        ),
    ] = False,
    neurons: Annotated[int | None, _size("Number of neurons (1000).")] = None,
    train: Annotated[int | None, _size("Number of training trials, each with another image (1400).")] = None,
    validation: Annotated[int | None, _size("Number of validation trials, each with another image (200).")] = None,
    test_images: Annotated[int | None, _size("Number of live test images, the same in all recordings (40).")] = None,
    final_images: Annotated[int | None, _size("Number of final test images of competition recordings (40).")] = None,
    repeats: Annotated[
        int | None, _size("Number of repeats of each test image, a few of which are dropped at random (10).")
    ] = None,
    image_shape: Annotated[str | None, _size("Height and width of the images in pixels (144x256).")] = None,
    complex_fraction: Annotated[float | None, _neuron_setting("Fraction of complex cells (0.35).")] = None,
    reliability: Annotated[float | None, _neuron_setting("Mean fraction of explainable variance (0.22).")] = None,
    reliability_spread: Annotated[
        float | None, _neuron_setting("Standard deviation of the fraction of explainable variance over neurons (0.16).")
    ] = None,
    normalization: Annotated[float | None, _neuron_setting("Strength of normalisation by local contrast (1).")] = None,
    behavior_gain: Annotated[
        float | None, _neuron_setting("Strength of the gain by pupil dilation and running (0.3).")
    ] = None,
    eye_shift: Annotated[
        float | None,
        _neuron_setting("Shift of receptive fields, in pixels, for one standard deviation of eye position (1.5)."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the ground truth: expected responses, receptive fields, withheld data and the seed. It must be outside "
            "of OUT.",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    withhold: Annotated[
        bool,
        typer.Option(
            "--withhold/--no-withhold",
            help="Withhold the test responses and the trial order of competition recordings.",
            rich_help_panel=_FILES,
        ),
    ] = True,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Secret random seed, an integer. The same seed gives identical files. Omit it for a real competition: 128 random "
            "bits are then drawn, and stored with the ground truth only.",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    first_animal: Annotated[
        int,
        typer.Option(help="Number of the first animal. The sessions are named <animal>-1-1.", rich_help_panel=_FILES),
    ] = 90001,
    folders: Annotated[
        bool, typer.Option("--folders/--zip", help="Write folders of files, or zip archives.", rich_help_panel=_FILES)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing recordings and truths.", rich_help_panel=_FILES)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Simulate recordings of mouse V1 with a known ground truth, in the official layout.

    One pre-training recording:  striate simulate mouse/ --neurons 300

    A whole benchmark:  striate simulate public/ --truth secret/ --pretraining 5 --competition all

    Recordings of a benchmark of your own:  striate simulate mice/ --benchmark my.toml

    The second table shows the scores of an oracle, which predicts the expected responses, on the live test. No model can be
    expected to exceed them.
    """
    from striate.benchmarks import load_benchmark
    from striate.simulate import PopulationSettings, write_benchmark

    spec = load_benchmark(benchmark)
    choices: dict[str, tuple[str, ...]] = {"none": (), "all": spec.track_names}
    tracks = choices[competition] if competition in choices else (spec.track(competition).name,)
    size = dict(_FULL_SIZE) if full_size else {}
    population = _override(
        {"neurons": size.pop("neurons", None)},
        neurons=neurons,
        complex_fraction=complex_fraction,
        reliability=reliability,
        reliability_spread=reliability_spread,
        normalization=normalization,
        behavior_gain=behavior_gain,
        eye_shift=eye_shift,
    )
    settings = _settings(
        _override(
            size,
            train=train,
            validation=validation,
            test_images=test_images,
            final_images=final_images,
            repeats=repeats,
            image_shape=_parse_shape(image_shape),
            withhold=withhold,
            benchmark=spec,
        )
    )
    if pretraining is None:
        pretraining = 0 if tracks else 1
    _refuse_existing_truths(truth, pretraining, tracks, settings, first_animal, overwrite)
    written = write_benchmark(
        out,
        truth=truth,
        as_folders=folders,
        overwrite=overwrite,
        pretraining=pretraining,
        competition=tracks,
        neurons=PopulationSettings(**population),
        settings=settings,
        seed=seed,
        first_animal=first_animal,
    )
    rows = [_facts(one, _write_scoring_truth(one, overwrite)) for one in written]
    if as_json:
        shown = [{name: value for name, value in row.items() if name != "tiers"} for row in rows]
        print(json.dumps({"recordings": shown}, indent=1, ensure_ascii=False))
    else:
        _print(rows)
    if tracks and withhold:
        _warn_of_short_seed(seed)


def _override(defaults: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the defaults, replaced by options that the user gave, without values that are None."""
    merged = {**defaults, **{name: value for name, value in options.items() if value is not None}}
    return {name: value for name, value in merged.items() if value is not None}


def _settings(values: dict[str, Any]) -> "RecordingSettings":
    from striate.simulate import RecordingSettings

    return RecordingSettings(**values)


def _parse_shape(text: str | None) -> tuple[int, int] | None:
    from striate.errors import InputError

    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})[x×,](\d{1,5})", text.strip())
    if not match:
        raise InputError(f"The image shape is {text!r}: give height x width in pixels, like 144x256.")
    return int(match[1]), int(match[2])


def _scoring_truth(truth: Path, session: str) -> Path:
    return expand_path(truth) / f"{session}-truth.parquet"


def _refuse_existing_truths(
    truth: Path | None,
    pretraining: int,
    tracks: tuple[str, ...],
    settings: "RecordingSettings",
    first_animal: int,
    overwrite: bool,
) -> None:
    """Raise `InputError` if a truth exists already, before anything is simulated."""
    from striate._internal.atomic_write import refuse_existing
    from striate.simulate.multi_session import plan_recordings

    if truth is not None and settings.withhold:
        for one in plan_recordings(pretraining, tracks, settings, first_animal):
            if one.track is not None:
                refuse_existing(_scoring_truth(truth, one.session), overwrite)


def _write_scoring_truth(one: "SimulationFiles", overwrite: bool) -> Path | None:
    """Write the truth file for ``striate score``, if the recording withholds responses."""
    from striate.submissions import Truth

    recording = one.simulation.recording
    if one.truth_path is None or not recording.withheld_tiers:
        return None
    path = _scoring_truth(one.truth_path.parent, recording.session)
    Truth.from_recording(one.simulation.truth.reveal(recording)).write(path, overwrite=overwrite)
    return path


def _facts(one: "SimulationFiles", scoring: Path | None) -> dict[str, Any]:
    from striate.simulate import ORACLE_INPUTS, oracle_scores

    recording, truth = one.simulation.recording, one.simulation.truth
    tiers = {tier: int((recording.trials["tier"] == tier).sum()) for tier in recording.tiers}
    live = recording.benchmark.board_tier("live") or next(iter(recording.benchmark.test_tiers), None)
    oracle = (
        {known: oracle_scores(truth, recording, live, known).means for known in ORACLE_INPUTS} if live in tiers else {}
    )
    return {
        "session": recording.session,
        "track": truth.track,
        "neurons": len(recording.neurons),
        "trials": tiers,
        "tiers": recording.benchmark.tier_order,
        "withheld": sorted(recording.withheld_tiers),
        "behavior_withheld": recording.behavior_withheld,
        "oracle": oracle,
        "recording": str(one.recording_path),
        "truth": None if one.truth_path is None else str(one.truth_path),
        "scoring_truth": None if scoring is None else str(scoring),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    trials = tuple(dict.fromkeys(tier for row in rows for tier in row["tiers"]))
    table = Table(title="Simulated recordings: numbers of neurons and trials", title_justify="left")
    for name in ("session", "role", "neurons", *trials):
        table.add_column(name, justify="left" if name in ("session", "role") else "right")
    oracle = Table(title="Scores of an oracle on the live test", title_justify="left")
    for name in ("session", "single trial", "… with behaviour", "to average"):
        oracle.add_column(name, justify="left" if name == "session" else "right")
    for row in rows:
        role = row["track"] or "pre-training"
        counts = [f"{row['trials'][tier]:,}" if tier in row["trials"] else "–" for tier in trials]
        table.add_row(row["session"], role, f"{row['neurons']:,}", *counts)
        if row["oracle"]:
            image, both = (row["oracle"][known] for known in ("image", "image and behavior"))
            scores = (
                image["single_trial_correlation"],
                both["single_trial_correlation"],
                image["correlation_to_average"],
            )
            oracle.add_row(row["session"], *(f"{score:.3f}" for score in scores))
    console.print(table)
    if any(row["track"] and not row["withheld"] for row in rows):
        console.print("The competition recordings are complete: nothing is withheld.")
    if oracle.row_count:
        console.print(oracle)
    for row in rows:
        print(row["recording"])
    truths = [row[kind] for row in rows for kind in ("truth", "scoring_truth") if row[kind]]
    if truths:
        print("Ground truth (keep it secret):", *truths, sep="\n")
    for row in rows:
        if row["scoring_truth"]:
            print(f"Score a submission for {row['session']}:  striate score SUBMISSION {row['scoring_truth']}")


def _warn_of_short_seed(seed: int | None) -> None:
    from striate.simulate import Seed

    if seed is not None and Seed(seed).guessable:
        errors.print(
            "[bold yellow]warning:[/] anybody who guesses this short seed can compute all withheld data: "
            "omit --seed for a real competition."
        )
