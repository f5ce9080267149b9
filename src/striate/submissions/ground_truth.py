"""Ground truth of a submission: standardised measured responses, with ids of trials and neurons."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import BenchmarkSpec
from striate.benchmarks.sensorium2022 import sensorium2022
from striate.catalog import as_recording
from striate.errors import InputError
from striate.submissions.formats import parquet
from striate.submissions.trial_table import IdArray, TrialIds, TrialTable, prefix_errors, tier_rows

if TYPE_CHECKING:
    from striate.recordings import Recording

_COLUMN = "response"


@dataclass(frozen=True, eq=False)
class Truth(TrialTable):
    """Standardised measured responses of trials of one recording.

    Parameters
    ----------
    session
        Session of the recording; None if it is not known, because a CSV of 2022 does not name it.
    unit_ids : (N,)
        Unit id of each column of the responses.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image id of each row of the responses.
    responses : (T, N)
        Standardised responses, stored as float32. No later step standardises them again.
    benchmark
        Name or description of the benchmark, which names the tiers and metrics; by default SENSORIUM 2022.

    Raises
    ------
    InputError
        If the shapes do not match, a trial or unit id occurs twice, a value is not finite, or a tier is unknown.

    Examples
    --------
    >>> from striate.submissions import Truth
    >>> Truth("27204-5-13", [1, 2], ["test"] * 3, [7, 8, 9], [0, 0, 1], [[0.5, 1.0], [0.7, 0.2], [0.1, 0.0]])
    <Truth 27204-5-13: test 3 trials × 2 neurons>
    """

    session: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: IdArray
    image_id: IdArray
    responses: NDArray[np.float32]
    benchmark: BenchmarkSpec = field(default_factory=sensorium2022)

    values_name: ClassVar[str] = "responses"

    def __post_init__(self) -> None:
        object.__setattr__(self, "responses", self._validate(self.responses))

    @property
    def values(self) -> NDArray[np.float32]:
        """The responses."""
        return self.responses

    @classmethod
    def from_recording(cls, recording: "Recording", tiers: Sequence[str] | str | None = None) -> "Truth":
        """Standardise the measured responses of a recording with its stored statistics.

        Parameters
        ----------
        recording
            A recording whose responses are not withheld.
        tiers
            Tiers of the truth. By default the test tiers that the recording has and does not withhold.

        Raises
        ------
        striate.errors.WithheldError
            If the responses of a tier are withheld.
        InputError
            If the recording has no such tier.

        Examples
        --------
        >>> import striate
        >>> recording = striate.simulate(neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)).recording
        >>> len(striate.Truth.from_recording(recording).responses)
        8
        """
        from striate.data.standardisation import Standardisation

        recording = as_recording(recording)
        selected = None if tiers is None else recording.benchmark.tier_names(tiers)
        if selected is None:
            present = tuple(tier_rows(recording))
            selected = tuple(tier for tier in present if tier not in recording.withheld_tiers) or present
        ids = TrialIds.from_recording(recording, selected)
        raw = np.concatenate([recording.measured_responses(tier) for tier in selected])
        return cls(responses=Standardisation.from_recording(recording).responses(raw), **ids.as_dict())

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the native Parquet file, with one row for each trial. Equal truths give identical files.

        Parameters
        ----------
        path
            File to write, such as ``27204-5-13-truth.parquet``.
        overwrite
            Whether to replace an existing file.

        Raises
        ------
        InputError
            If the session is not known, or the file exists and `overwrite` is False.
        """
        if self.session is None:
            raise InputError("A native truth states its session: give the session.")
        parquet.write(self, path, _COLUMN, {"kind": "truth"}, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path | str) -> "Truth":
        """Read and check a native file. It may come from an untrusted source.

        Parameters
        ----------
        path
            The Parquet file.

        Raises
        ------
        InputError
            If the file differs in any way from one that `write` would have written.
        """
        contents = parquet.read(path, "truth", _COLUMN)
        header = contents.header
        with prefix_errors(path):
            return cls(
                header.session,
                parquet.unit_ids_from_header(header),
                **contents.keys,
                responses=contents.values,
                benchmark=parquet.benchmark_from_header(header),
            )

    def __repr__(self) -> str:
        trials = ", ".join(f"{t} {(self.tier == t).sum()}" for t in self.tiers)
        return f"<Truth {self.session}: {trials} trials × {len(self.unit_ids)} neurons>"
