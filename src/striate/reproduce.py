"""Reproduction of published results from the original recordings: with the published weights, or by training again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from striate.catalog import get_dataset
from striate.catalog.local_files import find_fetched
from striate.errors import InputError
from striate.recordings import layout

if TYPE_CHECKING:
    from striate.models import Encoder
    from striate.recordings import Recording
    from striate.training import Recipe, Run

DATASET = "sensorium2022"
TOLERANCE = 5e-4  # published numbers have three decimals


@dataclass(frozen=True)
class PublishedResult:
    """Published scores of a model, with everything needed to compute them again.

    Attributes
    ----------
    name
        Name of the model.
    session, tier
        Session and tier of the scored recording.
    scores
        Published mean over neurons of each metric.
    source
        Publication of the scores.
    weights
        Description of the published weights.
    tolerance
        Largest difference at which a score counts as reproduced.

    Examples
    --------
    >>> CNN_ALL_MICE.session, CNN_ALL_MICE.scores["feve"]
    ('21067-10-18', 0.452)
    """

    name: str
    session: str
    tier: str
    scores: dict[str, float]
    source: str
    weights: str
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class PublishedTraining:
    """Published scores of a model that is trained again, because its weights are not used.

    Attributes
    ----------
    name
        Name of the model.
    recipe
        Recipe that trains it.
    sessions, tier
        Sessions of the recordings, on all of which one model is trained, and the tier that is scored.
    scores
        Published mean of each metric over neurons, and then over recordings.
    source
        Publication of the scores.
    tolerance
        Largest difference at which a score counts as reproduced: another seed gives another model.

    Examples
    --------
    >>> V1T.recipe, V1T.scores["correlation_to_average"]
    ('v1t', 0.629)
    """

    name: str
    recipe: "str | Recipe"
    sessions: tuple[str, ...]
    tier: str
    scores: dict[str, float]
    source: str
    tolerance: float = 0.005


V1T = PublishedTraining(
    name="V1T, with behaviour and eye position, trained on five mice",
    recipe="v1t",
    sessions=("21067-10-18", "22846-10-16", "23343-5-17", "23656-14-22", "23964-4-22"),
    tier="test",
    scores={"single_trial_correlation": 0.426, "correlation_to_average": 0.629},
    source="published by Li et al., TMLR 2023, for a model of six mice",
)
CNN_ALL_MICE = PublishedResult(
    name="CNN, seven mice jointly, without behaviour",
    session="21067-10-18",
    tier="test",
    scores={"single_trial_correlation": 0.286, "correlation_to_average": 0.542, "feve": 0.452},
    source="published for the baseline of SENSORIUM 2022",
    weights="weights of that CNN with a readout for 21067-10-18",
)


@dataclass(frozen=True)
class Reproduction:
    """Comparison of published scores with the scores computed here.

    Attributes
    ----------
    result
        The published result.
    missing
        A sentence about each missing file; empty if the scores were computed.
    scores
        Score of each metric, computed here; empty if a file is missing.

    Examples
    --------
    >>> Reproduction(CNN_ALL_MICE, scores=CNN_ALL_MICE.scores).succeeded
    True
    """

    result: PublishedResult | PublishedTraining
    missing: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether every score computed here agrees with the published one, within the tolerance of the result."""
        return bool(self.scores) and all(
            abs(self.scores[metric] - published) <= self.result.tolerance
            for metric, published in self.result.scores.items()
        )


def reproduce(
    recordings: Path | None, weights: Sequence[Path] = (), result: PublishedResult = CNN_ALL_MICE
) -> Reproduction:
    """Compute a published result again, or list the files that are missing for it.

    Parameters
    ----------
    recordings
        Archive of the recording, or a folder that contains it under its official name. By default, the recording fetched with
        ``striate fetch``.
    weights
        Files with published weights (``.pth``). The first one with a readout for the recording is used.
    result
        The published result.

    Returns
    -------
    Reproduction
        Scores computed here, or the missing files.

    Raises
    ------
    InputError
        If a file cannot be read.

    Examples
    --------
    >>> reproduction = reproduce(Path("no-such-folder"))
    >>> reproduction.succeeded, len(reproduction.missing)
    (False, 2)
    """
    from striate.models import published

    archive = _archive(recordings, result.session)
    missing = [] if archive is not None else [_missing_recording(recordings, result.session)]
    encoder = None
    unsuitable = []
    for path in weights:
        candidate = published.load(path)
        if result.session in candidate.sessions:
            encoder = candidate
            break
        unsuitable.append(f"{path.name} has a readout for {', '.join(candidate.sessions)} only")
    if encoder is None:
        missing.append(f"{result.weights}: " + ("; ".join(unsuitable) if unsuitable else "no --weights given"))
    if archive is None or encoder is None:
        return Reproduction(result, missing)

    from striate import open as open_recording

    return Reproduction(result, scores=_scores(encoder, [open_recording(archive)], result.tier, result.scores))


def reproduce_training(
    recordings: Path | None, out: Path, result: PublishedTraining = V1T, *, device: str = "auto", progress: bool = True
) -> Reproduction:
    """Train a published model again and compare its scores, or list what is missing for it.

    The same call resumes a training that was interrupted, and scores one that is finished.

    Parameters
    ----------
    recordings
        Folder with the archives of the recordings under their official names. By default, those fetched with ``striate fetch``.
    out
        Folder of the run.
    result
        The published result.
    device
        As for `striate.train`. ``"auto"`` needs a GPU, if the result is V1T: a CPU takes months.
    progress
        Whether to report progress.

    Returns
    -------
    Reproduction
        Mean scores of the recordings, computed here, or what is missing.

    Raises
    ------
    InputError
        If a recording cannot be read, or `out` holds a run of another recipe or of other recordings.

    Examples
    --------
    >>> reproduction = reproduce_training(Path("no-such-folder"), Path("runs/v1t"), device="cpu")
    >>> len(reproduction.missing), reproduction.succeeded
    (5, False)
    """
    archives = {session: _archive(recordings, session) for session in result.sessions}
    missing = [_missing_recording(recordings, session) for session, archive in archives.items() if archive is None]
    if result.recipe == V1T.recipe and device == "auto" and not _has_gpu():
        missing.append(
            "a GPU: V1T reads each image as 1,654 tokens, with which a CPU would take months (--device cpu tries it all the same)"
        )
    if missing:
        return Reproduction(result, missing)
    from striate import open as open_recording

    opened = [open_recording(archive) for archive in archives.values() if archive is not None]
    for recording in opened:
        if result.tier not in recording.tiers:
            missing.append(
                f"recording {recording.session}: it has no trials of tier {result.tier}; fetch the public archive"
            )
    if missing:
        return Reproduction(result, missing)
    run = _trained(result, opened, out, device, progress)
    return Reproduction(result, scores=_scores(run, opened, result.tier, result.scores))


def _trained(result: PublishedTraining, recordings: "list[Recording]", out: Path, device: str, progress: bool) -> "Run":
    """Return the finished run of a folder, or train it."""
    from striate.training import Run, load_recipe, train

    recipe = load_recipe(result.recipe)
    if (out / "provenance.json").exists() and (run := Run.open(out)).finished:
        if run.recipe.model_dump() != recipe.model_dump() or set(run.sessions) != set(result.sessions):
            raise InputError(
                f"{out} holds a finished run of another recipe or of other recordings: give another folder by --out."
            )
        return run
    return train(recipe, recordings, out, device=device, progress=progress)


def _scores(
    model: "Run | Encoder", recordings: "list[Recording]", tier: str, metrics: Iterable[str]
) -> dict[str, float]:
    """Return the mean of each metric over neurons, and then over recordings; metrics that are not defined are left out."""
    from striate.submissions import Submission, Truth, score
    from striate.training import predict

    cards = []
    for recording in recordings:
        found = predict(model, recording, [tier])
        submission = Submission.from_array(recording, found.values, protocol=found.protocol, tiers=[tier])
        cards.append(score(submission, Truth.from_recording(recording, [tier]), bootstrap=0).tiers[tier])
    scores = {metric: [getattr(card, metric).mean for card in cards] for metric in metrics}
    return {metric: sum(values) / len(values) for metric, values in scores.items() if None not in values}


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _missing_recording(recordings: Path | None, session: str) -> str:
    where = f"in {recordings}" if recordings is not None else "on this disk"
    return f"recording {session}: no {layout.archive_stem(session)}.zip {where} (striate fetch {DATASET} {session})"


def _archive(recordings: Path | None, session: str) -> Path | None:
    if recordings is None:
        dataset = get_dataset(DATASET)
        return find_fetched(dataset, dataset.file(session))
    if not recordings.exists():
        return None
    if recordings.is_file():
        return recordings
    for path in sorted(recordings.iterdir()):
        if layout.session_from_file_name(path.name) == session and (path.is_dir() or path.suffix.lower() == ".zip"):
            return path
    return None
