"""A submission: predicted responses, with ids of trials and neurons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array, is_data_frame
from striate._internal.progress_bars import progress_bar
from striate.benchmarks import BenchmarkSpec
from striate.benchmarks.sensorium2022 import sensorium2022
from striate.catalog import as_recording
from striate.errors import InputError, describe_type, validate_count
from striate.submissions.formats import parquet
from striate.submissions.trial_table import IdArray, TrialIds, TrialTable, prefix_errors, tier_rows

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training import Predictions

PredictFunction = Callable[["Recording", NDArray[np.int64]], ArrayLike]

_COLUMN = "prediction"
# Largest prediction, in standard deviations of the responses. A larger value would dominate the sums of squares over resamples, so that
# rounding errors would hide the other trials.
MAX_PREDICTION = 1_000_000


@dataclass(frozen=True, eq=False)
class Submission(TrialTable):
    """Predicted responses of the test trials of one recording, of all its test tiers together.

    Parameters
    ----------
    session
        Session of the predicted recording; None if it is not known, because a CSV of 2022 does not name it.
    track
        Name of the track, one of the benchmark or of a competition, such as ``"sensorium+"``; None if the session determines the track or it is not needed.
    protocol
        What the model was allowed to see, one of the benchmark's protocols; None if it is not known.
    unit_ids : (N,)
        Unit id of each column of the predictions.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image id of each row of the predictions, in any order.
    predictions : (T, N)
        Predicted responses in standardised units, stored as float32.
    benchmark
        Name or description of the benchmark, which names tiers, tracks and protocols; by default SENSORIUM 2022.

    Raises
    ------
    InputError
        If the shapes do not match, a trial or unit id occurs twice, a value is not finite, or a name is unknown.

    Examples
    --------
    >>> from striate.submissions import Submission
    >>> submission = Submission(
    ...     session="27204-5-13",
    ...     track=None,
    ...     protocol="image",
    ...     unit_ids=[1, 2],
    ...     tier=["test", "test", "test"],
    ...     trial_idx=[7, 8, 9],
    ...     image_id=[0, 0, 1],
    ...     predictions=[[0.6, 0.6], [0.6, 0.6], [0.1, 0.2]],
    ... )
    >>> submission
    <Submission 27204-5-13: test 3 trials × 2 neurons, image>
    """

    session: str | None
    track: str | None
    protocol: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: IdArray
    image_id: IdArray
    predictions: NDArray[np.float32]
    benchmark: BenchmarkSpec = field(default_factory=sensorium2022)

    values_name: ClassVar[str] = "predictions"

    def __post_init__(self) -> None:
        object.__setattr__(self, "predictions", self._validate(self.predictions))
        if self.protocol is not None:
            object.__setattr__(self, "protocol", self.benchmark.protocol(self.protocol).name)
        if self.track is not None:
            object.__setattr__(self, "track", self._validate_track(self.track))

    def _validate_track(self, typed: str) -> str:
        """Return the name of the track; refuse a protocol that the benchmark's track does not allow."""
        name = self.benchmark.track_name(typed)
        if name in self.benchmark.track_names:
            allowed = self.benchmark.track(name).protocols
            if self.protocol not in (None, *allowed):
                raise InputError(
                    f"Track {name} is for the protocols {', '.join(allowed)}, but the protocol of this submission is "
                    f"{self.protocol!r}: give another track, or no track."
                )
        return name

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
        """Make a submission from an array of predictions of any model.

        Parameters
        ----------
        recording
            The predicted recording.
        predictions : (T, N)
            Predicted responses in standardised units, ≥ 0. The rows are ``recording.rows(tier)``, one tier after the other,
            and the columns are the neurons in the order of the recording. The rows and columns of a DataFrame that is labelled
            with trial indices and unit ids may have any order.
        protocol
            What the model was allowed to see, one of the benchmark's protocols.
        track
            Name of the track, or None.
        tiers
            The predicted tiers. By default the test tiers of the benchmark that the recording has.

        Raises
        ------
        InputError
            If the shape does not match the trials and neurons of the recording, or a prediction is negative, not finite or
            larger than `MAX_PREDICTION`.

        Examples
        --------
        >>> import numpy as np
        >>> import striate
        >>> recording = striate.simulate(
        ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
        ... ).recording
        >>> len(Submission.from_array(recording, np.ones((8, 5)), protocol="image").predictions)
        8
        """
        ids = TrialIds.from_recording(recording, tiers)
        values = cast("NDArray[np.float32]", predictions)  # the constructor validates the type
        submission = cls(track=track, protocol=protocol, predictions=values, **ids.as_dict())
        submission.validate_rates()
        return submission

    @classmethod
    def from_predictions(cls, predictions: "Predictions", *, track: str | None = None) -> "Submission":
        """Make a submission from the result of `striate.predict`, which includes trials, neurons and protocol.

        Parameters
        ----------
        predictions
            Result of `striate.predict`.
        track
            Name of the track, or None.
        """
        return cls(
            session=predictions.session,
            track=track,
            protocol=predictions.protocol,
            unit_ids=predictions.unit_ids,
            tier=predictions.tier,
            trial_idx=predictions.trial_idx,
            image_id=predictions.image_id,
            predictions=predictions.values,
            benchmark=predictions.benchmark,
        )

    @classmethod
    def from_callable(
        cls,
        recording: "Recording",
        predict: PredictFunction,
        *,
        protocol: str,
        track: str | None = None,
        tiers: Sequence[str] | None = None,
        batch_size: int = 128,
    ) -> "Submission":
        """Make a submission by calling a function that predicts responses, for a model in any framework.

        Parameters
        ----------
        recording
            The recording to predict.
        predict
            Function called as ``predict(recording, rows)``. It returns the predicted responses of the trials `rows` in
            standardised units, of shape (len(rows), N). Its inputs are ``recording.images[rows]``,
            ``recording.behavior[rows]`` and so on.
        protocol, track, tiers
            As in `from_array`.
        batch_size
            Maximal number of trials in one call of `predict`.

        Raises
        ------
        InputError
            If `predict` returns an array of another shape, and as in `from_array`.

        Examples
        --------
        >>> import numpy as np
        >>> import striate
        >>> recording = striate.simulate(
        ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
        ... ).recording
        >>> def mean_luminance(recording, rows):
        ...     return np.tile(recording.images[rows].mean(axis=(1, 2, 3))[:, None] / 255, 5)
        >>> len(Submission.from_callable(recording, mean_luminance, protocol="image").predictions)
        8
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
                batch = rows[start : start + batch_size]
                returned = predict(recording, batch)
                if is_data_frame(returned):
                    from striate.recordings.table_labels import reorder_by_labels

                    ids = recording.trials["trial_idx"].iloc[batch]
                    returned = reorder_by_labels(returned, "predictions", rows=[ids, batch], columns=recording.unit_ids)
                values = as_array(returned, "predictions")
                if values.shape != (len(batch), neurons):
                    raise InputError(
                        f"The function returned predictions of shape {values.shape}; {len(batch)} trials and "
                        f"{neurons} neurons need {(len(batch), neurons)}."
                    )
                predictions[start : start + len(batch)] = values
                advance(len(batch))
        return cls.from_array(recording, predictions, protocol=protocol, track=track, tiers=tiers)

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the native Parquet file, with one row for each trial. Equal submissions give identical files.

        Parameters
        ----------
        path
            File to write, such as ``cnn.parquet``.
        overwrite
            Whether to replace an existing file.

        Raises
        ------
        InputError
            If the session or protocol is not known, a prediction is negative or too large, or the file exists and `overwrite`
            is False.
        """
        for name, value in (("session", self.session), ("protocol", self.protocol)):
            if value is None:
                raise InputError(f"A native submission states its {name}: give the {name}.")
        self.validate_rates()
        header = {"kind": "submission", "track": self.track, "protocol": self.protocol}
        parquet.write(self, path, _COLUMN, header, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path | str) -> "Submission":
        """Read and check a native file. It may come from an untrusted source.

        Parameters
        ----------
        path
            The Parquet file.

        Raises
        ------
        InputError
            If the file differs in any way from one that `write` would have written. The message says how to correct it.
        """
        contents = parquet.read(path, "submission", _COLUMN)
        header = contents.header
        if header.protocol is None:
            raise InputError(f"{path} does not state its protocol; write it with Submission.write.")
        with prefix_errors(path):
            submission = cls(
                session=header.session,
                track=header.track,
                protocol=header.protocol,
                unit_ids=parquet.unit_ids_from_header(header),
                predictions=contents.values,
                benchmark=parquet.benchmark_from_header(header),
                **contents.keys,
            )
            submission.validate_rates()
        return submission

    def validate_rates(self) -> None:
        """Raise `InputError` if a prediction is negative or larger than `MAX_PREDICTION`."""
        for extreme, allowed, advice in (
            (
                self.predictions.argmin(),
                (0, np.inf),
                "responses are ≥ 0, so clip the predictions with numpy.maximum(predictions, 0)",
            ),
            (
                self.predictions.argmax(),
                (-np.inf, MAX_PREDICTION),
                f"standardised responses are far below {MAX_PREDICTION:,}, so perhaps the training has diverged",
            ),
        ):
            row, column = np.unravel_index(int(extreme), self.predictions.shape)
            value = float(self.predictions[row, column])
            if not allowed[0] <= value <= allowed[1]:
                raise InputError(
                    f"The prediction of trial {self.trial_idx[row]}, unit {self.unit_ids[column]} is {value:g}; {advice}."
                )

    def __repr__(self) -> str:
        trials = ", ".join(f"{t} {(self.tier == t).sum()}" for t in self.tiers)
        names = "".join(f", {name}" for name in (self.track, self.protocol) if name is not None)
        return f"<Submission {self.session}: {trials} trials × {len(self.unit_ids)} neurons{names}>"
