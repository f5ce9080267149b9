"""A submission: predictions of withheld responses, with the keys of trials and neurons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array, is_data_frame
from striate._internal.progress_bars import progress_bar
from striate.benchmarks.protocols import IMAGE, protocol_name, track_name
from striate.catalog import as_recording
from striate.errors import InputError, describe_type, validate_count
from striate.submissions.formats import parquet
from striate.submissions.trial_table import Ids, Keys, Table, naming, tier_rows

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training import Predictions

Predict = Callable[["Recording", NDArray[np.int64]], ArrayLike]

_COLUMN = "prediction"
# Of a prediction, in standard deviations of the responses. Beyond it, sums of squares over resamples of the images lose the other trials to
# rounding.
LARGEST = 1_000_000


@dataclass(frozen=True, eq=False)
class Submission(Table):
    """Predicted responses of the trials of one recording, live and final test together.

    Parameters
    ----------
    session
        Name of the recording that is predicted; None if it is not known (read from a CSV of 2022).
    track
        Name of the track, such as ``"sensorium+"``; None where it does not matter, since the session tells it.
    protocol
        What the model was allowed to know, one of `striate.submissions.PROTOCOLS`; None if it is not known.
    unit_ids : (N,)
        Unit id of each column of the predictions.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image of each row of the predictions, in any order.
    predictions : (T, N)
        Predicted responses in standardised units; kept as float32.

    Raises
    ------
    InputError
        If shapes disagree, a trial or unit stands twice, a value is not finite, or a name is unknown.
    """

    session: str | None
    track: str | None
    protocol: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: Ids
    image_id: Ids
    predictions: NDArray[np.float32]

    called: ClassVar[str] = "predictions"

    def __post_init__(self) -> None:
        object.__setattr__(self, "predictions", self._check(self.predictions))
        if self.track is not None:
            object.__setattr__(self, "track", track_name(self.track))
        if self.protocol is not None:
            object.__setattr__(self, "protocol", protocol_name(self.protocol))
        if self.track == "sensorium" and self.protocol not in (None, IMAGE):
            raise InputError(
                f"Track sensorium is for models that know the image alone, and this one's protocol is {self.protocol!r}: "
                "name track sensorium+, or none."
            )

    @property
    def values(self) -> NDArray[np.float32]:
        """The predictions."""
        return self.predictions

    @classmethod
    def from_array(
        cls,
        recording: "Recording",
        predictions: ArrayLike,
        *,
        protocol: str,
        track: str | None = None,
        tiers: Sequence[str] | None = None,
    ) -> "Submission":
        """Submit an array of predictions, however they were made.

        Parameters
        ----------
        recording
            The recording that they predict.
        predictions : (T, N)
            Predicted responses in standardised units, ≥ 0: a row for each of ``recording.rows(tier)``, tier after
            tier, and a column for each neuron in the recording's order. The columns of a DataFrame that are unit ids, and the rows that are
            trial indices, may have any order.
        protocol, track
            As for `Submission`.
        tiers
            The tiers that are predicted; by default ``test`` and ``final_test``, as far as the recording has them.

        Raises
        ------
        InputError
            If the shape is not that of the recording's trials and neurons, or a prediction is negative, above `LARGEST` or not finite.
        """
        keys = Keys.of(recording, tiers)
        values = cast(
            "NDArray[np.float32]", predictions
        )  # whatever they are: they are checked as the submission is made
        submission = cls(track=track, protocol=protocol, predictions=values, **keys.as_arguments())
        submission.require_rates()
        return submission

    @classmethod
    def from_predictions(cls, predictions: "Predictions", *, track: str | None = None) -> "Submission":
        """Submit what `striate.predict` returned; it knows its trials, neurons and protocol."""
        return cls(
            session=predictions.session,
            track=track,
            protocol=predictions.protocol,
            unit_ids=predictions.unit_ids,
            tier=predictions.tier,
            trial_idx=predictions.trial_idx,
            image_id=predictions.image_id,
            predictions=predictions.values,
        )

    @classmethod
    def from_callable(
        cls,
        recording: "Recording",
        predict: Predict,
        *,
        protocol: str,
        track: str | None = None,
        tiers: Sequence[str] | None = None,
        batch_size: int = 128,
    ) -> "Submission":
        """Submit what a function predicts: any model of one's own, in any framework.

        Parameters
        ----------
        recording
            The recording to predict.
        predict
            ``predict(recording, rows)`` returns the predicted responses of the trials `rows`, shape (rows, N), in
            standardised units. It finds what it may look at in ``recording.images[rows]`` and so on.
        protocol, track, tiers
            As for `from_array`.
        batch_size
            Most trials that `predict` is asked for at once.

        Raises
        ------
        InputError
            If `predict` returns another shape, or as for `from_array`.
        """
        recording = as_recording(recording)
        validate_count("batch_size", batch_size)
        if not callable(predict):
            raise InputError(
                f"{describe_type(predict)} cannot predict: give a function of a recording and row numbers."
            )
        rows = np.concatenate(list(tier_rows(recording, tiers).values()))
        neurons = len(recording.neurons)
        predictions = np.empty((len(rows), neurons), dtype=np.float32)
        with progress_bar("predicting", len(rows)) as advance:
            for start in range(0, len(rows), batch_size):
                some = rows[start : start + batch_size]
                returned = predict(recording, some)
                if is_data_frame(returned):
                    from striate.recordings.table_labels import reorder_by_labels

                    ids = recording.trials["trial_idx"].iloc[some]
                    returned = reorder_by_labels(returned, "predictions", rows=[ids, some], columns=recording.unit_ids)
                values = as_array(returned, "predictions")
                if values.shape != (len(some), neurons):
                    raise InputError(
                        f"The function returned predictions of shape {values.shape}; {len(some)} trials and "
                        f"{neurons} neurons need {(len(some), neurons)}."
                    )
                predictions[start : start + len(some)] = values
                advance(len(some))
        return cls.from_array(recording, predictions, protocol=protocol, track=track, tiers=tiers)

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the native file: Parquet, a row a trial. The same submission gives the same bytes.

        Raises
        ------
        InputError
            If session or protocol is not known, a prediction is negative, or the file exists already.
        """
        for name, value in (("session", self.session), ("protocol", self.protocol)):
            if value is None:
                raise InputError(f"A native submission states its {name}: give the {name}.")
        self.require_rates()
        header = {"kind": "submission", "track": self.track, "protocol": self.protocol}
        parquet.write(self, path, _COLUMN, header, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path | str) -> "Submission":
        """Read a native file without trusting it.

        Raises
        ------
        InputError
            If anything about it is not as `write` would have made it: the sentence says what, and how to mend it.
        """
        contents = parquet.read(path, "submission", _COLUMN)
        header = contents.header
        if header.protocol is None:
            raise InputError(f"{path} does not state its protocol; write it with Submission.write.")
        with naming(path):
            submission = cls(
                session=header.session,
                track=header.track,
                protocol=header.protocol,
                unit_ids=parquet.ids_of(header),
                predictions=contents.values,
                **contents.keys,
            )
            submission.require_rates()
        return submission

    def require_rates(self) -> None:
        """Raise `InputError` if a prediction is negative, or too large to be a rate."""
        for extreme, allowed, why in (
            (
                self.predictions.argmin(),
                (0, np.inf),
                "responses are ≥ 0, so clip the predictions with numpy.maximum(predictions, 0)",
            ),
            (
                self.predictions.argmax(),
                (-np.inf, LARGEST),
                f"standardised responses are far below {LARGEST:,}, so perhaps the training has diverged",
            ),
        ):
            row, column = np.unravel_index(int(extreme), self.predictions.shape)
            value = float(self.predictions[row, column])
            if not allowed[0] <= value <= allowed[1]:
                raise InputError(
                    f"The prediction of trial {self.trial_idx[row]}, unit {self.unit_ids[column]} is {value:g}; {why}."
                )

    def __repr__(self) -> str:
        trials = ", ".join(f"{t} {(self.tier == t).sum()}" for t in self.tiers)
        said = "".join(f", {what}" for what in (self.track, self.protocol) if what is not None)
        return f"<Submission {self.session}: {trials} trials × {len(self.unit_ids)} neurons{said}>"
