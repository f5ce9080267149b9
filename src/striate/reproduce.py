"""Reproduction of published results from the original recordings and weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from striate.catalog import get_dataset
from striate.catalog.local_files import find_fetched
from striate.recordings import layout

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

    result: PublishedResult
    missing: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether every score computed here agrees with the published one in all published decimals."""
        return bool(self.scores) and all(
            abs(self.scores[metric] - published) <= TOLERANCE for metric, published in self.result.scores.items()
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

    missing = []
    archive = _archive(recordings, result.session)
    if archive is None:
        where = f"in {recordings}" if recordings is not None else "on this disk"
        missing.append(
            f"recording {result.session}: no {layout.archive_stem(result.session)}.zip {where} "
            f"(striate fetch {DATASET} {result.session})"
        )
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
    from striate.submissions import Submission, Truth, score
    from striate.training import predict

    recording = open_recording(archive)
    predictions = predict(encoder, recording, [result.tier])
    submission = Submission.from_array(
        recording, predictions.values, protocol=predictions.protocol, tiers=[result.tier]
    )
    card = score(submission, Truth.from_recording(recording, [result.tier]), bootstrap=0).tiers[result.tier]
    scores = {metric: getattr(card, metric).mean for metric in result.scores}
    return Reproduction(result, scores={metric: value for metric, value in scores.items() if value is not None})


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
