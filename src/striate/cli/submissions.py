"""The commands ``score``, ``submission check`` and ``submission reformat``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from striate.cli.app import SCORES, app
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.submissions import Score, Scorecard, TierScores

console = Console(highlight=False)

_MIN_RESAMPLES = 20

submission_app = typer.Typer(no_args_is_help=True, help="Check submissions, and convert them to the other file format.")
app.add_typer(submission_app, name="submission", rich_help_panel=SCORES)

SubmissionPath = Annotated[
    Path,
    typer.Argument(help="Native Parquet file, a CSV of 2022, or a folder with its CSVs.", show_default=False),
]
Tier = Annotated[
    str | None,
    typer.Option(help="Only this tier, by its name in the benchmark, or live or final.", show_default=False),
]
Resamples = Annotated[
    int, typer.Option(help="Number of resamples of the images for the confidence intervals; 0 for no intervals.")
]
ResamplingSeed = Annotated[int, typer.Option(help="Random seed of the resamples.")]
Metric = Annotated[
    list[str] | None,
    typer.Option(help="A further metric, by the name that it is registered by.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


@app.command("score", rich_help_panel=SCORES)
def score(
    submission: SubmissionPath,
    truth: Annotated[
        Path,
        typer.Argument(
            help="Archive with measured responses (or its name), a truth file (.parquet), or a ground-truth CSV of 2022.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the scorecard, with the scores of each neuron, to this JSON file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    bootstrap: Resamples = 1000,
    seed: ResamplingSeed = 0,
    tier: Tier = None,
    metric: Metric = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a submission: single-trial correlation, correlation to average and FEVE, with confidence intervals and ceilings."""
    from striate._internal.atomic_write import refuse_existing
    from striate.submissions import score as score_submission

    require_resamples(bootstrap)
    if out is not None:
        refuse_existing(out, overwrite)
    card = score_submission(submission, truth, tiers=tier, metrics=metric, bootstrap=bootstrap, seed=seed)
    if out is not None:
        card.write(out, overwrite=overwrite)
    if as_json:
        print(json.dumps(card.summary(), indent=1, ensure_ascii=False))
        return
    _print_scorecard(card)


def require_resamples(bootstrap: int) -> None:
    """Raise `InputError` if there are too few resamples for a confidence interval."""
    if 0 < bootstrap < _MIN_RESAMPLES:
        raise InputError(
            f"{bootstrap} resample{'s are' if bootstrap > 1 else ' is'} too few for a confidence interval: give --bootstrap at "
            f"least {_MIN_RESAMPLES}, usually 1000, or 0 for no intervals."
        )


def _print_scorecard(card: "Scorecard") -> None:
    from striate.benchmarks import is_default

    benchmark = [] if is_default(card.benchmark) else [f"benchmark {card.benchmark.name}"]
    facts = [f"{name} {value}" for name in ("session", "track", "protocol") if (value := getattr(card, name))]
    print(" · ".join([*benchmark, *facts, f"{len(card.unit_ids)} neurons", f"metrics version {card.metrics_version}"]))
    for tier, scores in card.tiers.items():
        console.print(_table(tier, scores, card.benchmark.sees_image_alone(card.protocol)))


def _table(tier: str, scores: "TierScores", sees_image_alone: bool | None) -> Table:
    from striate.metrics.bootstrap import CONFIDENCE_LEVEL
    from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
    from striate.submissions.scorecard import CEILINGS, RELIABILITIES

    table = Table(
        title=f"{tier}: {scores.trials} trials of {scores.images} images", title_justify="left", title_style="bold"
    )
    for heading, side in (
        ("", "left"),
        ("mean", "right"),
        (f"{CONFIDENCE_LEVEL * 100:g} % interval", "right"),
        ("neurons", "right"),
    ):
        table.add_column(heading, justify=side)  # type: ignore[arg-type]
    for names in ((*METRICS, *NORMALISED_METRICS), scores.other, CEILINGS, RELIABILITIES):
        for name in names:
            table.add_row(escape(scores.label(name)), *_cells(scores.by_name[name]))
        if names:
            table.add_section()
    table.caption, table.caption_justify = _explanation(scores, sees_image_alone), "left"
    return table


def _explanation(scores: "TierScores", sees_image_alone: bool | None) -> str:
    """Explain missing scores, the ceilings, and which neurons are included."""
    from striate.metrics.score_summary import missing_score_text

    lines = [
        f"{escape(scores.label(name))}: {missing_score_text(score.reason)}"
        for name, score in scores.by_name.items()
        if score.mean is None
    ]
    for score in scores.other.values():
        notes = [] if score.higher_is_better else ["lower is better"]
        notes += [f"interval from {score.resamples} resamples"] if score.interval else []
        lines += [f"{escape(score.label)}: {', '.join(notes)}"] if notes else []
    if scores.single_trial_ceiling.mean is not None:
        lines.append("ceilings: the highest score expected of a model that sees only the image (√FEV; CC_max)")
        if not sees_image_alone:
            lines.append("a model that sees behaviour can exceed these ceilings")
    if scores.cc_norm.mean is not None:
        lines.append("normalised correlation (CC_norm): correlation to average / its ceiling")
    if scores.jackknife_oracle.mean is not None:
        lines.append("oracle predictor (jackknife oracle): correlation of trials with the other repeats of their image")
    if scores.split_half.mean is not None and scores.split_half.mean >= 0:
        limit = scores.split_half.mean**0.5
        lines.append(f"split-half reliability: its root, {limit:.3f}, is another estimate of the ceiling to average")
    if scores.feve.neurons:
        lines.append(f"FEVE: mean over the {scores.feve.neurons} neurons with an explainable variance of at least 15 %")
    return "\n".join(lines)


def _cells(score: "Score") -> tuple[str, str, str]:
    from striate.metrics.score_summary import TOO_FEW_IMAGES, is_too_few_images

    if score.mean is None:
        return TOO_FEW_IMAGES if is_too_few_images(score.reason) else "not defined", "", str(score.neurons)
    interval = "" if score.interval is None else f"{score.interval.low:.4f} – {score.interval.high:.4f}"
    return f"{score.mean:.4f}", interval, str(score.neurons)


@submission_app.command("check")
def validate(
    submission: SubmissionPath,
    archive: Annotated[
        Path, typer.Argument(help="Zip, folder or name of the predicted recording.", show_default=False)
    ],
    tier: Tier = None,
) -> None:
    """Check that a submission predicts every test trial and neuron of a recording, before it is sent."""
    import striate
    from striate.submissions import validate as validate_submission

    recording = striate.open(archive)
    trials = validate_submission(submission, recording, tiers=None if tier is None else [tier])
    counts = ", ".join(f"{count} trials of tier {name}" for name, count in trials.items())
    print(f"complete: {counts}, {len(recording.neurons)} neurons of session {recording.session}")


@submission_app.command("reformat")
def convert(
    source: SubmissionPath,
    target: Annotated[
        Path, typer.Argument(help="Folder or .csv for the format of 2022, .parquet for the native format.")
    ],
    tier: Annotated[
        str | None, typer.Option(help="Tier of a CSV whose file name does not include the tier: test or final_test.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session of the recording of a CSV, such as 27204-5-13.")] = None,
    track: Annotated[str | None, typer.Option(help="Track of a CSV: sensorium or sensorium+.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Protocol of a CSV: image, image + behaviour, or image + behaviour + past responses."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert a native submission to the CSVs of 2022, or these CSVs to a native submission."""
    from striate.submissions import convert as convert_submission

    written = convert_submission(
        source, target, tier=tier, session=session, track=track, protocol=protocol, overwrite=overwrite
    )
    for path in written:
        print(f"wrote {path}")
