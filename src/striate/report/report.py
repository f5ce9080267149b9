"""The report: one self-contained HTML page about how well models predict a recording."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate import __version__
from striate._internal.atomic_write import atomic_write
from striate.benchmarks.spec_tables import Stimulus
from striate.catalog import collect_citations
from striate.metrics import METRICS_VERSION
from striate.metrics.score_summary import TOO_FEW_IMAGES, missing_score_text
from striate.recordings import Recording
from striate.recordings.pictures import RGB, channel_pictures, colour_names, picture
from striate.report import figures
from striate.report.comparison import (
    PairedDifference,
    ScoredModel,
    ceiling_description,
    ceilings_with_intervals,
    group_by_protocol,
    has_too_few_images,
    metric_labels,
    protocol_title,
    score_text,
    scores_with_intervals,
    tier_phrase,
)
from striate.report.html_helpers import Page, facts, image, table
from striate.report.plot_style import palette
from striate.submissions import Truth

_EXAMPLE_IMAGES = 4
_EXAMPLE_NEURONS = 30
_COLUMNS = 4  # metrics of a table
_CHANNELS_APART = 4  # most channels that are also drawn one by one


@dataclass
class ReportData:
    """Contents of a report. Sections whose data are missing are left out.

    Attributes
    ----------
    title, summary
        Heading of the page, and the sentences below it.
    recording
        The predicted recording.
    truth
        Measured responses of its test tiers; None if they are withheld, so that no scores are shown.
    models
        Scored models, sorted as by `sort_by_score`. Figures of a single model show the last one.
    differences
        Paired differences between neighbours in `models`.
    reference
        Oracle model; None unless the recording is simulated.
    histories
        Training history of each run, by its name.
    positions : (N, 2)
        Receptive-field centres learned by the last model, in pixels of the recording's images.
    unit_ids : (N,)
        Unit id of each receptive field.
    true_positions : (N, 2)
        True receptive-field centres in pixels; None unless the recording is simulated.
    provenance
        Names and values of the section "Provenance".
    ensembles
        Names of the models that are ensembles of runs, which have no history of their own.

    Examples
    --------
    >>> import striate
    >>> recording = striate.simulate(
    ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
    ... ).recording
    >>> ReportData("My recording", ["No model yet."], recording).colours
    {}
    """

    title: str
    summary: list[str]
    recording: Recording
    truth: Truth | None = None
    models: Sequence[ScoredModel] = ()
    differences: Sequence[PairedDifference] = ()
    reference: ScoredModel | None = None
    histories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    positions: NDArray[np.float64] | None = None
    unit_ids: NDArray[np.int64] | None = None
    true_positions: NDArray[np.float64] | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    ensembles: Collection[str] = ()

    @property
    def colours(self) -> dict[str, str]:
        """Colour of each model, the reference and each history, by name."""
        names = [c.name for c in self.models] + ([self.reference.name] if self.reference else [])
        return palette(dict.fromkeys([*names, *self.histories]))


def write_report(data: ReportData, path: Path | str, *, overwrite: bool = False) -> None:
    """Draw all sections for which there are data, and write them to one HTML file.

    Parameters
    ----------
    data
        Contents of the report.
    path
        HTML file to write.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        If the file exists and `overwrite` is False.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import striate
    >>> recording = striate.simulate(
    ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
    ... ).recording
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(ReportData("My recording", [], recording), Path(folder, "report.html"))
    ...     "<h1>My recording</h1>" in Path(folder, "report.html").read_text()
    True
    """
    page = Page(data.title, data.summary)
    _recording(page, data)
    if data.truth is not None and data.models:
        for tier in data.truth.tiers:
            _scores(page, data, tier)
        tier = data.truth.tiers[0]
        _examples(page, data, data.truth, tier)
    _training(page, data)
    if data.truth is not None and data.models:
        _neurons(page, data, data.truth, data.truth.tiers[0])
    if data.positions is not None and data.unit_ids is not None:
        _receptive_fields(page, data, data.positions, data.unit_ids)
    _data(page, data)
    if data.provenance:
        page.section("Provenance", "Runs and submissions of this report.", facts(data.provenance))
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with atomic_write(path, overwrite=overwrite) as temporary:
        temporary.write_text(
            page.render(f"Made by striate {__version__} (metrics version {METRICS_VERSION}) on {created}."),
            encoding="utf-8",
        )


def _training(page: Page, data: ReportData) -> None:
    """Draw the training curves, one figure for each protocol."""
    protocols = {c.name: c.protocol for c in data.models}
    groups: dict[str | None, dict[str, pd.DataFrame]] = {}
    for name, history in data.histories.items():
        groups.setdefault(protocols.get(name), {})[name] = history
    text = "Single-trial correlation on the validation trials, pooled over all neurons, after each epoch."
    for protocol, histories in groups.items():
        title = "Training" + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        page.section(title, text, image(figures.training_curves(histories, data.colours), "training curves"))


def _recording(page: Page, data: ReportData) -> None:
    recording = data.recording
    height, width = recording.image_shape
    names = recording.benchmark.stimulus.channels
    channels = f", {', '.join(names)}" if len(names) > 1 else ""
    tiers = ", ".join(f"{t} {len(recording.rows(t)):,}" for t in recording.tiers)
    withheld = [f"responses of {tier}" for tier in sorted(recording.withheld_tiers)]
    withheld += ["behaviour"] * recording.behavior_withheld + ["eye position"] * recording.pupil_center_withheld
    page.section(
        "The recording",
        "Numbers of neurons and trials, and what the recording withholds.",
        facts(
            {
                "session": recording.session,
                "neurons": f"{len(recording.neurons):,}",
                "trials": f"{len(recording.trials):,} ({tiers})",
                "images": f"{height} × {width} pixels{channels}",
                "withheld": ", ".join(withheld) or "nothing",
                "fingerprint": recording.fingerprint[:16],
            }
        ),
    )


def _data(page: Page, data: ReportData) -> None:
    """Show the licence, the terms of use and the citation of the dataset."""
    for entry in collect_citations([data.recording]):
        licence, citation = entry["licence"], entry["citation"]
        rows = {"dataset": f"{entry['title']} ({entry['dataset']})"}
        rows["licence"] = " ".join(part for part in (licence["name"], licence["address"]) if part)
        if citation:
            rows["cite"] = citation["text"]
        page.section("The data", licence["terms"].strip(), facts(rows))


def _scores(page: Page, data: ReportData, tier: str) -> None:
    """Write a section for each protocol, because models of different protocols are not compared."""
    models = [*data.models, *([data.reference] if data.reference else [])]
    groups = group_by_protocol(models)
    for protocol, group in groups.items():
        heading = f"Scores: {group[0].benchmark.tier_title(tier)}"
        title = heading + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        _scores_of_protocol(page, data, tier, group, title)


def _scores_of_protocol(page: Page, data: ReportData, tier: str, group: list[ScoredModel], title: str) -> None:
    labels = metric_labels(group, tier)
    rows = scores_with_intervals(group, tier)
    ceiling = ceilings_with_intervals(group, tier)
    names = {model.name for model in group}
    differences = [d for d in data.differences if d.tier == tier and {d.better, d.worse} <= names]
    ranked = [model for model in group if model is not data.reference]
    scores, paired = [], []
    for columns in _in_columns(labels):
        header = [labels[metric] for metric in columns]
        body = [
            [model.name, *(_score_cell(model, tier, metric, rows[model.name]) for metric in columns)] for model in group
        ]
        if any(metric in ceiling for metric in columns):
            body.append(["ceiling (image alone)", *(_ceiling_cell(ceiling.get(metric)) for metric in columns)])
        scores.append(table(["model", *header], body, best=len(ranked) - 1 if ranked else None))
        if differences:
            difference_rows = [_difference_row(difference, columns, group) for difference in differences]
            paired.append(table(["paired difference", *header], difference_rows))
    drawn = {metric: label for metric, label in labels.items() if any(metric in row for row in rows.values())}
    if drawn:
        figure = figures.model_scores(rows, drawn, data.colours)
        scores.append(image(figure, f"scores of {', '.join(rows)} on tier {tier}"))
    scored = group[0].scorecard.tiers[tier]
    text = (
        f"{scored.trials:,} trials of {scored.images} images. In brackets: 95 % confidence intervals from a bootstrap over "
        "images, each with all its repeats. Paired differences use the same resamples for both models; the difference is "
        "significant if its interval excludes 0."
    )
    if any(not score.higher_is_better for model in group for score in model.scorecard.tiers[tier].other.values()):
        text += " Where lower is better, a negative difference is an improvement."
    if ceiling:
        text += f" {ceiling_description(group[0].sees_image_alone)}"
    page.section(title, text, *scores, *paired)


def _in_columns(labels: Mapping[str, str]) -> list[list[str]]:
    """Distribute metrics over tables that are narrow enough for the page."""
    metrics = list(labels)
    return [metrics[start : start + _COLUMNS] for start in range(0, len(metrics), _COLUMNS)]


def _score_cell(model: ScoredModel, tier: str, metric: str, scores: Mapping[str, tuple[float, float, float]]) -> str:
    if metric in scores:
        return "|".join(score_text(scores[metric]))
    score = model.scorecard.tiers[tier].by_name.get(metric)
    return "–" if score is None else f"–|{missing_score_text(score.reason)}"


def _ceiling_cell(ceiling: tuple[float, float, float] | None) -> str:
    return "" if ceiling is None else "1" if ceiling == (1, 1, 1) else "|".join(score_text(ceiling))


def _difference_row(difference: PairedDifference, metrics: list[str], group: list[ScoredModel]) -> list[str]:
    cells = [f"{difference.better} − {difference.worse}"]
    for metric in metrics:
        if has_too_few_images(group, difference, metric):
            cells.append(f"–|{TOO_FEW_IMAGES}")
        else:
            cells.append("|".join(score_text(difference.entry(metric), "+")) if difference.entry(metric) else "–")
    return cells


def _averages(truth: Truth, model: ScoredModel, tier: str) -> tuple[Any, Any, Any, Any]:
    """Return mean responses and mean predictions of each image, the image ids and their numbers of repeats."""
    rows = truth.rows(tier)
    ids, index, counts = np.unique(truth.image_id[rows], return_inverse=True, return_counts=True)
    means = []
    for values in (truth.responses[rows], model.predictions(truth, tier)):
        sums = np.zeros((len(ids), values.shape[1]))
        np.add.at(sums, index, values)
        means.append(sums / counts[:, None])
    return means[0], means[1], ids, counts


def _examples(page: Page, data: ReportData, truth: Truth, tier: str) -> None:
    model = data.models[-1]
    measured, predicted, ids, counts = _averages(truth, model, tier)
    scores = np.array(model.scorecard.tiers[tier].correlation_to_average.per_neuron, dtype=float)
    neurons = np.argsort(-np.nan_to_num(scores, nan=-1))[:_EXAMPLE_NEURONS]
    step = min(3, max(1, (len(ids) - 1) // (_EXAMPLE_IMAGES - 1)))
    examples = np.argsort(-measured[:, neurons].std(axis=1))[::step][:_EXAMPLE_IMAGES]
    images = []
    for example in examples:
        row = int(np.flatnonzero((data.recording.trials["image_id"] == ids[example]).to_numpy())[0])
        images.append(np.asarray(data.recording.images[row]))
    stimulus = data.recording.benchmark.stimulus
    pictures = {"": [picture(each, stimulus) for each in images]}
    if 1 < len(stimulus.channels) <= _CHANNELS_APART:
        for place, name in enumerate(stimulus.channels):
            pictures[name] = [channel_pictures(each, stimulus)[place] for each in images]
    figure = figures.example_trials(
        pictures, measured[examples], predicted[examples], counts[examples].tolist(), neurons, model.name
    )
    text = (
        f"Images of {tier_phrase(truth.benchmark, tier)}. Bars: mean responses of the {len(neurons)} best predicted neurons "
        f"over the repeats. Dots: predictions of the {model.name}.{_about_colours(stimulus)}"
    )
    page.section("Example trials", text, image(figure, "images, mean responses and predictions"))
    scatter = figures.measured_against_predicted(measured, predicted, np.nan_to_num(scores), truth.unit_ids)
    text = (
        f"Each dot is an image, with the prediction of the {model.name}. Neurons are ranked by their correlation to average. On "
        "the dotted line, predictions are exact."
    )
    page.section("Measured against predicted", text, image(scatter, "mean measured responses over predictions"))


def _about_colours(stimulus: Stimulus) -> str:
    """Explain the colours of images with several channels."""
    names = stimulus.channels
    if len(names) == 1 or set(names) == set(RGB):
        return ""
    shown = ", ".join(f"{name} {colour}" for name, colour in zip(names, colour_names(names), strict=True))
    apart = " Below, each channel by itself." if len(names) <= _CHANNELS_APART else ""
    return f" Images are in false colours ({shown}), in which pixels with equal values in all channels are grey.{apart}"


def _neurons(page: Page, data: ReportData, truth: Truth, tier: str) -> None:
    models = [c for c in data.models if c.name in {*data.histories, *data.ensembles}] or list(data.models)
    if "single_trial_correlation" not in metric_labels(models, tier):
        return  # the benchmark has other metrics
    groups = group_by_protocol(models)
    for protocol, group in groups.items():
        scores = {c.name: _per_neuron(c, tier, "single_trial_correlation") for c in group}
        ceiling = _per_neuron(group[0], tier, "single_trial_ceiling")
        if not np.isfinite(ceiling).any():
            return
        figure = figures.scores_against_ceiling(scores, ceiling, truth.benchmark.tier_title(tier), data.colours)
        text = (
            "Each dot is a neuron. The ceiling is the highest single-trial correlation expected of a model that sees only the "
            "image (√FEV). It is an estimate, so that some neurons may lie slightly above it."
        )
        if not group[0].sees_image_alone:
            text += " A model that sees behaviour can exceed it."
        title = "Scores against their ceiling" + (f", {protocol_title(protocol)}" if len(groups) > 1 else "")
        page.section(title, text, image(figure, "single-trial correlation over its ceiling"))


def _per_neuron(model: ScoredModel, tier: str, metric: str) -> NDArray[np.float64]:
    return np.array(getattr(model.scorecard.tiers[tier], metric).per_neuron, dtype=np.float64)


def _receptive_fields(page: Page, data: ReportData, positions: NDArray[Any], unit_ids: NDArray[Any]) -> None:
    recording = data.recording
    columns = {int(unit): column for column, unit in enumerate(recording.unit_ids)}
    coordinates = recording.coordinates[[columns[int(unit)] for unit in unit_ids]]
    parts = [image(figures.retinotopy(positions, coordinates, recording.image_shape), "retinotopic map")]
    text = (
        "Receptive-field centre of each neuron, as learned by the model. The readout learned a map from the cortex to the "
        "screen, so that neighbouring neurons have neighbouring receptive fields."
    )
    if data.true_positions is not None:
        parts.append(
            image(figures.positions_against_truth(positions, data.true_positions), "learned over true positions")
        )
        text += " The recording is simulated, so that the true centres are known."
    page.section("Receptive fields and retinotopy", text, *parts)
