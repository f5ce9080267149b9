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
from striate.catalog import credit
from striate.files import whole_file
from striate.metrics import METRICS_VERSION
from striate.recordings import Recording
from striate.report import figures
from striate.report.compare import Contender, Difference, metric_labels, score_rows
from striate.report.page import Page, facts, image, table
from striate.report.style import palette
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
        Models from the weakest to the strongest; the last is looked at most closely.
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
    if material.histories:
        text = "Single-trial correlation on the validation trials, pooled over all neurons, after each epoch."
        page.section(
            "Training", text, image(figures.training_curves(material.histories, material.colours), "training curves")
        )
    if material.truth is not None and material.contenders:
        _neurons(page, material, material.truth, material.truth.tiers[0])
    if material.positions is not None and material.unit_ids is not None:
        _receptive_fields(page, material, material.positions, material.unit_ids)
    _data(page, material)
    if material.provenance:
        page.section("Provenance", "What this report was made from.", facts(material.provenance))
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with whole_file(path, overwrite=overwrite) as aside:
        aside.write_text(
            page.render(f"Made by striate {__version__} (metrics version {METRICS_VERSION}) on {made}."),
            encoding="utf-8",
        )


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
    for entry in credit([material.recording]):
        licence, citation = entry["licence"], entry["citation"]
        told = {"dataset": f"{entry['title']} ({entry['dataset']})"}
        told["licence"] = " ".join(part for part in (licence["name"], licence["address"]) if part)
        if citation:
            told["cite"] = citation["text"]
        page.section("The data", licence["terms"].strip(), facts(told))


def _scores(page: Page, material: Material, tier: str) -> None:
    everyone = [*material.contenders, *([material.reference] if material.reference else [])]
    labels = metric_labels()
    rows = score_rows(everyone, tier)
    scored = everyone[0].scorecard.tiers[tier]
    body = [
        [name, *(_with_interval(rows[name].get(metric), everyone[i].scorecard, tier, metric) for metric in labels)]
        for i, name in enumerate(rows)
    ]
    parts = [
        table(["model", *labels.values()], body, best=len(material.contenders) - 1),
        image(figures.scores_of_models(rows, labels, material.colours), f"scores of {', '.join(rows)} on tier {tier}"),
    ]
    told_apart = [d for d in material.differences if d.tier == tier]
    if told_apart:
        parts.append(
            table(["paired difference", *labels.values()], [_difference_row(d, list(labels)) for d in told_apart])
        )
    text = (
        f"{scored.trials:,} trials of {scored.images} images. In brackets: 95 % intervals from a bootstrap that draws images "
        "with all their repeats. Paired differences use the same draws for both models: an interval without zero means "
        "that these images tell the two apart."
    )
    page.section(f"Scores: {tier_title(tier)}", text, *parts)


def tier_title(tier: str) -> str:
    """What people call a tier."""
    return {"test": "live test", "final_test": "final test"}.get(tier, tier)


def _with_interval(entry: tuple[float, float, float] | None, card: Any, tier: str, metric: str) -> str:
    if entry is None:
        return f"–|{getattr(card.tiers[tier], metric).reason or 'not defined'}"
    value, low, high = entry
    return f"{value:.3f}|[{low:.3f}, {high:.3f}]"


def _difference_row(difference: Difference, metrics: list[str]) -> list[str]:
    cells = [f"{difference.better} − {difference.worse}"]
    for metric in metrics:
        resampled = getattr(difference.metrics, metric)
        interval = resampled.interval
        if resampled.value is None or interval is None:
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
    scores = {c.name: _per_neuron(c, tier, "single_trial_correlation") for c in models}
    ceiling = _per_neuron(models[0], tier, "jackknife_oracle")
    if not np.isfinite(ceiling).any():
        return
    figure = figures.scores_beside_ceiling(scores, ceiling, tier_title(tier), material.colours)
    text = (
        "Each dot is a neuron. The jackknife oracle predicts each trial by the mean of the other repeats of its image: what "
        "noise leaves for a model to reach (a model that knows the behaviour can do better)."
    )
    page.section(
        "Scores beside their ceiling", text, image(figure, "single-trial correlation over the jackknife oracle")
    )


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
