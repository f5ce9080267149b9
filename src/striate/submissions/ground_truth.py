"""The truth that a submission is scored against: standardised responses, with the keys of trials and neurons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks.tiers import tier_names
from striate.catalog import as_recording
from striate.errors import InputError
from striate.submissions.formats import parquet
from striate.submissions.trial_table import Ids, Keys, Table, naming, tier_rows

if TYPE_CHECKING:
    from striate.recordings import Recording

_COLUMN = "response"


@dataclass(frozen=True, eq=False)
class Truth(Table):
    """Measured responses of the trials of one recording, standardised.

    Parameters
    ----------
    session
        Name of the recording; None if it is not known (read from a CSV of 2022).
    unit_ids : (N,)
        Unit id of each column of the responses.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image of each row of the responses.
    responses : (T, N)
        Standardised responses; kept as float32. They are never standardised again.

    Raises
    ------
    InputError
        If shapes disagree, a trial or unit stands twice, a value is not finite, or a tier is unknown.
    """

    session: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: Ids
    image_id: Ids
    responses: NDArray[np.float32]

    called: ClassVar[str] = "responses"

    def __post_init__(self) -> None:
        object.__setattr__(self, "responses", self._check(self.responses))

    @property
    def values(self) -> NDArray[np.float32]:
        """The responses."""
        return self.responses

    @classmethod
    def of(cls, recording: "Recording", tiers: Sequence[str] | str | None = None) -> "Truth":
        """Standardise the measured responses of a recording with its stored statistics.

        Parameters
        ----------
        recording
            A recording whose responses are not withheld.
        tiers
            The tiers to take; by default ``test`` and ``final_test``, as far as they are there and not withheld.

        Raises
        ------
        striate.errors.WithheldError
            If the responses of a tier are withheld.
        InputError
            If there is no such tier.
        """
        from striate.data.standardisation import Standardisation

        recording = as_recording(recording)
        wanted = None if tiers is None else tier_names(tiers)
        if wanted is None:
            present = tuple(tier_rows(recording))
            wanted = tuple(tier for tier in present if tier not in recording.withheld_tiers) or present
        keys = Keys.of(recording, wanted)
        raw = np.concatenate([recording.measured_responses(tier) for tier in wanted])
        return cls(responses=Standardisation.from_recording(recording).responses(raw), **keys.as_arguments())

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the native file: Parquet, a row a trial. The same truth gives the same bytes.

        Raises
        ------
        InputError
            If the session is not known, or the file exists already.
        """
        if self.session is None:
            raise InputError("A native truth states its session: give the session.")
        parquet.write(self, path, _COLUMN, {"kind": "truth"}, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path | str) -> "Truth":
        """Read a native file without trusting it.

        Raises
        ------
        InputError
            If anything about it is not as `write` would have made it.
        """
        contents = parquet.read(path, "truth", _COLUMN)
        header = contents.header
        with naming(path):
            return cls(header.session, parquet.ids_of(header), **contents.keys, responses=contents.values)

    def __repr__(self) -> str:
        trials = ", ".join(f"{t} {(self.tier == t).sum()}" for t in self.tiers)
        return f"<Truth {self.session}: {trials} trials × {len(self.unit_ids)} neurons>"
