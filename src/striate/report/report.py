"""The report: one self-contained page about how well models predict one recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate import __version__
from striate._internal.atomic_write import atomic_write
from striate.benchmarks.protocols import sees_image_alone
from striate.catalog import collect_citations
from striate.metrics import METRICS_VERSION
from striate.metrics.score_summary import TOO_FEW_IMAGES
from striate.recordings import Recording
from striate.report import figures
from striate.report.comparison import (
    Contender,
    Difference,
    by_protocol,
    ceiling_note,
    ceiling_scores,
    metric_labels,
    protocol_title,
    score_rows,
    too_few,
)
from striate.report.html_page import Page, facts, image, table
from striate.report.plot_style import palette
from striate.submissions import Truth

_EXAMPLES = 4  # images
_NEURONS = 30  # in the example


@dataclass
class Material:
    """What a report is made of.

    Attributes
    ----------
    title, summary
        Heading of the page and the sentences below it.
    recording
        What was predicted.
    truth
        Measured responses of its test tiers; None where they are withheld, and then nothing is scored.
    contenders
        Models by protocol, in each from the weakest to the strongest; the last is looked at most closely.
    differences
        Paired differences between neighbours among them.
    reference
        An oracle, where the truth about the recording is known.
    histories
        Training history by the name of the model.
    positions : (N, 2)
        Learned receptive-field centres of the last contender, pixels of the recording's images.
    unit_ids : (N,)
        Unit id of each of them.
    true_positions : (N, 2)
        True ones, where known.
    provenance
        Names and values to be shown at the end.
    """

    title: str
    summary: list[str]
    recording: Recording
    truth: Truth | None = None
    contenders: Sequence[Contender] = ()
    differences: Sequence[Difference] = ()
    reference: Contender | None = None
    histories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    positions: NDArray[np.float64] | None = None
    unit_ids: NDArray[np.int64] | None = None
    true_positions: NDArray[np.float64] | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def colours(self) -> dict[str, str]:
        """A colour for each contender, the reference and each history."""
        names = [c.name for c in self.contenders] + ([self.reference.name] if self.reference else [])
        return palette(dict.fromkeys([*names, *self.histories]))


def write_report(material: Material, path: Path | str, *, overwrite: bool = False) -> None:
    """Draw everything that `material` allows, and write it as one HTML file.

    Raises
    ------
    InputError
        If the file exists already.
    """
    page = Page(material.title, material.summary)
    _about_the_recording(page, material)
    if material.truth is not None and material.contenders:
        for tier in material.truth.tiers:
            _scores(page, material, tier)
        tier = material.truth.tiers[0]
        _examples(page, material, material.truth, tier)
    _training(page, material)
    if material.truth is not None and material.contenders:
        _neurons(page, material, material.truth, material.truth.tiers[0])
    if material.positions is not None and material.unit_ids is not None:
        _receptive_fields(page, material, material.positions, material.unit_ids)
    _data(page, material)
    if material.provenance:
        page.section("Provenance", "What this report was made from.", facts(material.provenance))
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with atomic_write(path, overwrite=overwrite) as aside:
        aside.write_text(
            page.render(f"Made by striate {__version__} (metrics version {METRICS_VERSION}) on {made}."),
            encoding="utf-8",
        )


def _training(page: Page, material: Material) -> None:
    """Draw the training curves, a figure a protocol."""
    protocols = {c.name: c.protocol for c in material.contenders}
    groups: dict[str | None, dict[str, pd.DataFrame]] = {}
    for name, history in material.histories.items():
        groups.setdefault(protocols.get(name), {})[name] = history
    text = "Single-trial correlation on the validation trials, pooled over all neurons, after each epoch."
    for protocol, histories in groups.items():
        title = "Training" + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        page.section(title, text, image(figures.training_curves(histories, material.colours), "training curves"))


def _about_the_recording(page: Page, material: Material) -> None:
    recording = material.recording
    height, width = recording.image_shape
    tiers = ", ".join(f"{t} {len(recording.rows(t)):,}" for t in recording.tiers)
    withheld = [f"responses of {tier}" for tier in sorted(recording.withheld_tiers)]
    withheld += ["behaviour"] * recording.behavior_withheld + ["eye position"] * recording.pupil_center_withheld
    page.section(
        "The recording",
        "What was shown, and how much was measured.",
        facts(
            {
                "session": recording.session,
                "neurons": f"{len(recording.neurons):,}",
                "trials": f"{len(recording.trials):,} ({tiers})",
                "images": f"{height} × {width} pixels",
                "withheld": ", ".join(withheld) or "nothing",
                "fingerprint": recording.fingerprint[:16],
            }
        ),
    )


def _data(page: Page, material: Material) -> None:
    """Say whose data they are, on what terms they may be used, and what to cite."""
    for entry in collect_citations([material.recording]):
        licence, citation = entry["licence"], entry["citation"]
        told = {"dataset": f"{entry['title']} ({entry['dataset']})"}
        told["licence"] = " ".join(part for part in (licence["name"], licence["address"]) if part)
        if citation:
            told["cite"] = citation["text"]
        page.section("The data", licence["terms"].strip(), facts(told))


def _scores(page: Page, material: Material, tier: str) -> None:
    """Write a section for each protocol: models of different protocols are never in one table."""
    everyone = [*material.contenders, *([material.reference] if material.reference else [])]
    groups = by_protocol(everyone)
    for protocol, group in groups.items():
        title = f"Scores: {tier_title(tier)}" + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        _scores_of(page, material, tier, group, title)


def _scores_of(page: Page, material: Material, tier: str, group: list[Contender], title: str) -> None:
    labels = metric_labels()
    rows = score_rows(group, tier)
    scored = group[0].scorecard.tiers[tier]
    body = [
        [name, *(_with_interval(rows[name].get(metric), group[i].scorecard, tier, metric) for metric in labels)]
        for i, name in enumerate(rows)
    ]
    ceiling = ceiling_scores(group, tier)
    if ceiling:
        cells = (_with_ends(ceiling[metric]) if metric in ceiling else "1" for metric in labels)
        body.append(["ceiling (image alone)", *cells])
    competing = [c for c in group if c is not material.reference]
    parts = [
        table(["model", *labels.values()], body, best=len(competing) - 1 if competing else None),
        image(figures.scores_of_models(rows, labels, material.colours), f"scores of {', '.join(rows)} on tier {tier}"),
    ]
    names = {c.name for c in group}
    told_apart = [d for d in material.differences if d.tier == tier and {d.better, d.worse} <= names]
    if told_apart:
        differences = [_difference_row(d, list(labels), group) for d in told_apart]
        parts.append(table(["paired difference", *labels.values()], differences))
    text = (
        f"{scored.trials:,} trials of {scored.images} images. In brackets: 95 % intervals from a bootstrap that draws images "
        "with all their repeats. Paired differences use the same draws for both models: an interval without zero means "
        f"that these images tell the two apart. {ceiling_note(group[0].protocol) if ceiling else ''}"
    )
    page.section(title, text, *parts)


def tier_title(tier: str) -> str:
    """What people call a tier."""
    return {"test": "live test", "final_test": "final test"}.get(tier, tier)


def _with_interval(entry: tuple[float, float, float] | None, card: Any, tier: str, metric: str) -> str:
    if entry is None:
        return f"–|{getattr(card.tiers[tier], metric).reason or 'not defined'}"
    return _with_ends(entry)


def _with_ends(entry: tuple[float, float, float]) -> str:
    value, low, high = entry
    return f"{value:.3f}|[{low:.3f}, {high:.3f}]"


def _difference_row(difference: Difference, metrics: list[str], group: list[Contender]) -> list[str]:
    cells = [f"{difference.better} − {difference.worse}"]
    for metric in metrics:
        resampled = getattr(difference.metrics, metric)
        interval = resampled.interval
        if too_few(group, difference, metric):
            cells.append(f"–|{TOO_FEW_IMAGES}")
        elif resampled.value is None or interval is None:
            cells.append("–")
        else:
            cells.append(f"{resampled.value:+.3f}|[{interval.low:+.3f}, {interval.high:+.3f}]")
    return cells


def _averages(truth: Truth, contender: Contender, tier: str) -> tuple[Any, Any, Any, Any]:
    """Mean responses and predictions of each image, the image ids and how often each was shown."""
    rows = truth.rows(tier)
    ids, index, counts = np.unique(truth.image_id[rows], return_inverse=True, return_counts=True)
    means = []
    for values in (truth.responses[rows], contender.predictions(truth, tier)):
        sums = np.zeros((len(ids), values.shape[1]))
        np.add.at(sums, index, values)
        means.append(sums / counts[:, None])
    return means[0], means[1], ids, counts


def _examples(page: Page, material: Material, truth: Truth, tier: str) -> None:
    model = material.contenders[-1]
    measured, predicted, ids, counts = _averages(truth, model, tier)
    scores = np.array(model.scorecard.tiers[tier].correlation_to_average.per_neuron, dtype=float)
    chosen = np.argsort(-np.nan_to_num(scores, nan=-1))[:_NEURONS]
    step = min(3, max(1, (len(ids) - 1) // (_EXAMPLES - 1)))
    spread = np.argsort(-measured[:, chosen].std(axis=1))[::step][:_EXAMPLES]
    shown = []
    for picture in spread:
        row = int(np.flatnonzero((material.recording.trials["image_id"] == ids[picture]).to_numpy())[0])
        shown.append(np.asarray(material.recording.images[row, 0]))
    figure = figures.example_trials(
        np.stack(shown), measured[spread], predicted[spread], counts[spread].tolist(), chosen, model.name
    )
    text = (
        f"Images of the {tier_title(tier)}; bars: what the {len(chosen)} best predicted neurons answered on average over "
        f"the repeats; dots: what the {model.name} predicts."
    )
    page.section("Example trials", text, image(figure, "images, mean responses and predictions"))
    scatter = figures.predicted_and_measured(measured, predicted, np.nan_to_num(scores), truth.unit_ids)
    text = (
        f"Each dot is an image, as the {model.name} predicts it; neurons are ranked by their correlation to average. On the "
        "dotted line predictions are exact."
    )
    page.section("Predicted against measured", text, image(scatter, "mean measured responses over predictions"))


def _neurons(page: Page, material: Material, truth: Truth, tier: str) -> None:
    models = [c for c in material.contenders if c.name in material.histories] or list(material.contenders)
    groups = by_protocol(models)
    for protocol, group in groups.items():
        scores = {c.name: _per_neuron(c, tier, "single_trial_correlation") for c in group}
        ceiling = _per_neuron(group[0], tier, "single_trial_ceiling")
        if not np.isfinite(ceiling).any():
            return
        figure = figures.scores_beside_ceiling(scores, ceiling, tier_title(tier), material.colours)
        text = (
            "Each dot is a neuron. The ceiling is the single-trial correlation that a model of the image alone can expect at "
            "most (√FEV); it is an estimate, so that single neurons may lie a little above it."
        )
        if not sees_image_alone(protocol):
            text += " Behaviour can lift a model above it."
        title = "Scores beside their ceiling" + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        page.section(title, text, image(figure, "single-trial correlation over its ceiling"))


def _per_neuron(contender: Contender, tier: str, metric: str) -> NDArray[np.float64]:
    return np.array(getattr(contender.scorecard.tiers[tier], metric).per_neuron, dtype=np.float64)


def _receptive_fields(page: Page, material: Material, positions: NDArray[Any], unit_ids: NDArray[Any]) -> None:
    recording = material.recording
    columns = {int(unit): column for column, unit in enumerate(recording.unit_ids)}
    coordinates = recording.coordinates[[columns[int(unit)] for unit in unit_ids]]
    parts = [image(figures.retinotopy(positions, coordinates, recording.image_shape), "retinotopic map")]
    text = (
        "Where the model looks for each neuron: its readout learned a map from the cortex to the screen, so neurons that lie "
        "together look at the same place."
    )
    if material.true_positions is not None:
        parts.append(
            image(figures.positions_beside_truth(positions, material.true_positions), "learned over true positions")
        )
        text += " The recording is simulated, so the true centres are known."
    page.section("Receptive fields and retinotopy", text, *parts)
