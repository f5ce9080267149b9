"""The command ``simulate``: recordings of mice whose truth is known."""

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from striate._internal.paths import expand_path
from striate.cli.app import DATA, app, errors

if TYPE_CHECKING:
    from striate.simulate import RecordingSettings, SimulationFiles, Track

console = Console(highlight=False)

_FULL_SIZE = {"neurons": 7776, "train": 4490, "validation": 500, "test_images": 100, "final_images": 100}

_BENCHMARK, _SIZE, _NEURONS, _FILES = "Which recordings", "Size of each", "Neurons", "Files and secrets"


class Competition(StrEnum):
    """Which competition scans there are."""

    NONE = "none"
    SENSORIUM = "sensorium"
    SENSORIUM_PLUS = "sensorium+"
    BOTH = "both"


def _size(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_SIZE, show_default=False)


def _kind(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=_NEURONS, show_default=False)


@app.command("simulate", rich_help_panel=DATA)
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings; it may be published.", show_default=False)],
    pretraining: Annotated[
        int | None,
        typer.Option(
            help="Number of pre-training scans (1, or none where there are competition scans).",
            rich_help_panel=_BENCHMARK,
            show_default=False,
        ),
    ] = None,
    competition: Annotated[
        Competition,
        typer.Option(
            help="Competition scans, with final test images: sensorium withholds behaviour and eye position too.",
            rich_help_panel=_BENCHMARK,
        ),
    ] = Competition.NONE,
    full_size: Annotated[
        bool,
        typer.Option(
            "--full-size",
            help="As large as a real mouse: 7,776 neurons, 4,490 training and 500 validation trials, 100 live and "
            "100 final test images. The options below still change each.",
            rich_help_panel=_SIZE,
        ),
    ] = False,
    neurons: Annotated[int | None, _size("Neurons of each mouse (1000).")] = None,
    train: Annotated[int | None, _size("Training trials, each with its own image (1400).")] = None,
    validation: Annotated[int | None, _size("Validation trials, each with its own image (200).")] = None,
    test_images: Annotated[int | None, _size("Live test images, the same for all mice (40).")] = None,
    final_images: Annotated[int | None, _size("Final test images of competition scans (40).")] = None,
    repeats: Annotated[int | None, _size("Repeats of each test image; a few are lost (10).")] = None,
    image_shape: Annotated[str | None, _size("Height and width of the images in pixels (144x256).")] = None,
    complex_fraction: Annotated[float | None, _kind("Fraction of complex cells (0.35).")] = None,
    reliability: Annotated[float | None, _kind("Mean fraction of explainable variance (0.22).")] = None,
    reliability_spread: Annotated[float | None, _kind("Its standard deviation over neurons (0.16).")] = None,
    normalization: Annotated[float | None, _kind("Strength of normalisation by local contrast (1).")] = None,
    behavior_gain: Annotated[float | None, _kind("Strength of the gain by pupil and running (0.3).")] = None,
    eye_shift: Annotated[
        float | None, _kind("Pixels that receptive fields move for a standard deviation of eye position (1.5).")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the truth: expected responses, receptive fields, what is withheld, the seed. Never in OUT.",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    withhold: Annotated[
        bool,
        typer.Option(
            "--withhold/--no-withhold",
            help="Whether competition scans withhold test responses and the order of trials.",
            rich_help_panel=_FILES,
        ),
    ] = True,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Secret whole number: the same gives the same bytes. Leave it out for a real competition: "
            "128 random bits are drawn, and kept with the truth only.",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    first_animal: Annotated[
        int, typer.Option(help="Number of the first mouse; sessions are <animal>-1-1.", rich_help_panel=_FILES)
    ] = 90001,
    folders: Annotated[
        bool, typer.Option("--folders/--zip", help="Write folders of files, or zips.", rich_help_panel=_FILES)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace recordings and truth that exist.", rich_help_panel=_FILES)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Simulate recordings of mouse V1 whose truth is known, in the official layout.

    One pre-training scan:  striate simulate mouse/ --neurons 300

    A whole benchmark:  striate simulate public/ --truth secret/ --pretraining 5 --competition both

    The second table says what an oracle, which knows the truth, scores on the live test: no model can expect more.
    """
    from striate.simulate import TRACKS, PopulationSettings, write_benchmark

    tracks: dict[Competition, tuple[Track, ...]] = {
        Competition.NONE: (),
        Competition.SENSORIUM: ("sensorium",),
        Competition.SENSORIUM_PLUS: ("sensorium+",),
        Competition.BOTH: TRACKS,
    }
    size = dict(_FULL_SIZE) if full_size else {}
    cells = _given(
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
        _given(
            size,
            train=train,
            validation=validation,
            test_images=test_images,
            final_images=final_images,
            repeats=repeats,
            image_shape=_shape(image_shape),
            withhold=withhold,
        )
    )
    if pretraining is None:
        pretraining = 0 if tracks[competition] else 1
    _refuse_scoring_truths(truth, pretraining, tracks[competition], first_animal, withhold, overwrite)
    written = write_benchmark(
        out,
        truth=truth,
        as_folders=folders,
        overwrite=overwrite,
        pretraining=pretraining,
        competition=tracks[competition],
        neurons=PopulationSettings(**cells),
        settings=settings,
        seed=seed,
        first_animal=first_animal,
    )
    rows = [_facts(one, _write_scoring_truth(one, overwrite)) for one in written]
    if as_json:
        print(json.dumps({"recordings": rows}, indent=1, ensure_ascii=False))
    else:
        _print(rows)
    if tracks[competition] and withhold:
        _warn_of_short_seed(seed)


def _given(defaults: dict[str, Any], **typed: Any) -> dict[str, Any]:
    """Defaults, replaced by what the user typed; without those that are left to the room."""
    both = {**defaults, **{name: value for name, value in typed.items() if value is not None}}
    return {name: value for name, value in both.items() if value is not None}


def _settings(values: dict[str, Any]) -> "RecordingSettings":
    from striate.simulate import RecordingSettings

    return RecordingSettings(**values)


def _shape(typed: str | None) -> tuple[int, int] | None:
    from striate.errors import InputError

    if typed is None:
        return None
    match = re.fullmatch(r"(\d{1,5})[x×,](\d{1,5})", typed.strip())
    if not match:
        raise InputError(f"The image shape is {typed!r}: give height x width in pixels, like 144x256.")
    return int(match[1]), int(match[2])


def _scoring_truth(truth: Path, session: str) -> Path:
    return expand_path(truth) / f"{session}-truth.parquet"


def _refuse_scoring_truths(
    truth: Path | None,
    pretraining: int,
    tracks: "tuple[Track, ...]",
    first_animal: int,
    withhold: bool,
    overwrite: bool,
) -> None:
    """Refuse to write over a truth before anything is simulated."""
    from striate._internal.atomic_write import refuse_existing
    from striate.simulate.multi_session import plan_recordings

    if truth is not None and withhold:
        for one in plan_recordings(pretraining, tracks, None, first_animal):
            if one.track is not None:
                refuse_existing(_scoring_truth(truth, one.session), overwrite)


def _write_scoring_truth(one: "SimulationFiles", overwrite: bool) -> Path | None:
    """Write what ``striate score`` takes, beside the truth about a recording that withholds responses."""
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
    oracle = (
        {known: oracle_scores(truth, recording, "test", known).means for known in ORACLE_INPUTS}
        if "test" in tiers
        else {}
    )
    return {
        "session": recording.session,
        "track": truth.track,
        "neurons": len(recording.neurons),
        "trials": tiers,
        "withheld": sorted(recording.withheld_tiers),
        "behavior_withheld": recording.behavior_withheld,
        "oracle": oracle,
        "recording": str(one.recording_path),
        "truth": None if one.truth_path is None else str(one.truth_path),
        "scoring_truth": None if scoring is None else str(scoring),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    trials = ("train", "validation", "test", "final_test")
    table = Table(title="Simulated recordings: number of neurons, and of trials by tier", title_justify="left")
    for name in ("session", "role", "neurons", *trials):
        table.add_column(name, justify="left" if name in ("session", "role") else "right")
    oracle = Table(title="What an oracle scores on the live test", title_justify="left")
    for name in ("session", "single trial", "… knowing the behaviour", "to average"):
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
        console.print("The competition scans are in full: nothing is withheld.")
    if oracle.row_count:
        console.print(oracle)
    for row in rows:
        print(row["recording"])
    truths = [row[kind] for row in rows for kind in ("truth", "scoring_truth") if row[kind]]
    if truths:
        print("Truth, to be kept secret:", *truths, sep="\n")
    for row in rows:
        if row["scoring_truth"]:
            print(f"Score a submission for {row['session']}:  striate score SUBMISSION {row['scoring_truth']}")


def _warn_of_short_seed(seed: int | None) -> None:
    from striate.simulate import Seed

    if seed is not None and Seed(seed).guessable:
        errors.print(
            "[bold yellow]warning:[/] who guesses this short seed can compute everything that is withheld: "
            "leave --seed out for a real competition."
        )
