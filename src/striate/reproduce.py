"""Published results, reproduced where the real recordings and weights are at hand."""

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
    """A score that was published, and what it takes to compute it again.

    Attributes
    ----------
    name
        What was scored.
    session, tier
        On which recording and tier.
    scores
        Metric → published mean over neurons.
    source
        Where the numbers stand.
    weights
        What the weights are called by those who published them.
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
class Outcome:
    """What came of an attempt.

    Attributes
    ----------
    result
        What was to be reproduced.
    missing
        What is not at hand, a sentence each; empty if it could be computed.
    scores
        Metric → score computed here; empty if anything is missing.
    """

    result: PublishedResult
    missing: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def reproduced(self) -> bool:
        """Whether every published score was met to its last decimal."""
        return bool(self.scores) and all(
            abs(self.scores[metric] - published) <= TOLERANCE for metric, published in self.result.scores.items()
        )


def reproduce(recordings: Path | None, weights: Sequence[Path] = (), result: PublishedResult = CNN_ALL_MICE) -> Outcome:
    """Compute a published result again, or say what it would take.

    Parameters
    ----------
    recordings
        The recording's archive, or a folder that holds it under its official name; by default the fetched one.
    weights
        Files with published weights (``.pth``); the first with a readout for the recording is used.
    result
        Which result.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If what is at hand cannot be read.
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
    held = []
    for path in weights:
        candidate = published.load(path)
        if result.session in candidate.sessions:
            encoder = candidate
            break
        held.append(f"{path.name} has a readout for {', '.join(candidate.sessions)} only")
    if encoder is None:
        missing.append(f"{result.weights}: " + ("; ".join(held) if held else "no --weights given"))
    if archive is None or encoder is None:
        return Outcome(result, missing)

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
    return Outcome(result, scores={metric: value for metric, value in scores.items() if value is not None})


def _archive(place: Path | None, session: str) -> Path | None:
    if place is None:
        of = get_dataset(DATASET)
        return find_fetched(of, of.file(session))
    if not place.exists():
        return None
    if place.is_file():
        return place
    for path in sorted(place.iterdir()):
        if layout.session_from_file_name(path.name) == session and (path.is_dir() or path.suffix.lower() == ".zip"):
            return path
    return None
