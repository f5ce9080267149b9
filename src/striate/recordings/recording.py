"""Recordings: tables of neurons and trials, and one array per variable with trials as the first axis."""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate.benchmarks import Benchmark, BenchmarkSpec, is_default, load_benchmark
from striate.errors import InputError, UnknownAttributeError, WithheldError
from striate.recordings import layout
from striate.recordings.pictures import picture
from striate.recordings.statistics import RecordingStatistics, VariableStatistics, compute_statistics

Array = NDArray[Any]

_GALLERY_SIZE = 8  # number of images that a notebook shows
_HASH_BLOCK = 2**22  # number of values per hash


class Recording:
    """One recording session: images, neuronal responses and behaviour, by trial.

    Parameters
    ----------
    session
        Name of the session, ``animal-session-scan`` in SENSORIUM 2022, for example ``"27204-5-13"``.
    neurons : DataFrame, N rows
        Columns ``unit_id`` (unique integers) and ``x``, ``y``, ``z`` (cortical position in µm), optionally ``area``,
        ``layer``, ``animal_id``, ``session`` and ``scan_idx`` (default: ``"unknown"``, and the parts of the session). Row n
        describes column n of `responses`.
    trials : DataFrame, T rows
        Columns ``tier``, ``image_id`` and ``trial_idx`` (integers, or strings if the order is withheld), and optionally
        other fields of ``meta/trials``. Row t describes trial t.
    images : (T, C, H, W)
        Image of each trial, with the channels of the benchmark. SENSORIUM 2022 has one, with grey values 0–255.
    responses : (T, N)
        Responses in raw units; all zero if withheld. Those of SENSORIUM 2022 are deconvolved calcium responses, ≥ 0.
    behavior : (T, K), optional
        Behaviour variables of the benchmark; all zero if withheld or left out. Those of SENSORIUM 2022 are pupil dilation,
        its derivative, and running speed.
    pupil_center : (T, 2), optional
        Horizontal and vertical eye position; all zero if withheld or left out; (T, 0) if the benchmark has none.
    statistics
        Stored statistics by variable name. Missing statistics are computed over the training trials.
    source
        Path of the archive or folder from which the recording was read.
    fingerprint
        Known fingerprint (default: computed from the content).
    withheld_tiers
        Known withheld tiers (default: test tiers whose responses are all zero).
    benchmark
        Benchmark of the recording: name, path of a TOML file, or description (default: SENSORIUM 2022).

    Raises
    ------
    InputError
        If the numbers of trials or neurons disagree, a column is missing, a tier is unknown, or an array does not have the
        shape that the benchmark requires.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import striate
    >>> recording = striate.Recording(
    ...     session="12-3-1",
    ...     neurons=pd.DataFrame({"unit_id": [1, 2], "x": [0.0, 10.0], "y": [0.0, 0.0], "z": [200.0, 200.0]}),
    ...     trials=pd.DataFrame({"tier": ["train", "test"], "image_id": [7, 8], "trial_idx": [0, 1]}),
    ...     images=np.zeros((2, 1, 18, 32), np.uint8),
    ...     responses=np.array([[1.0, 2.0], [0.0, 0.0]]),
    ...     behavior=np.ones((2, 3)),
    ...     pupil_center=np.ones((2, 2)),
    ... )
    >>> recording.tiers
    ('train', 'test')
    >>> recording.withheld_tiers
    frozenset({'test'})
    >>> recording.rows("train")
    array([0])
    """

    def __init__(
        self,
        session: str,
        neurons: pd.DataFrame,
        trials: pd.DataFrame,
        images: Array,
        responses: Array,
        behavior: Array | None = None,
        pupil_center: Array | None = None,
        statistics: Mapping[str, VariableStatistics] | None = None,
        *,
        source: Path | None = None,
        fingerprint: str | None = None,
        withheld_tiers: frozenset[str] | None = None,
        benchmark: Benchmark | None = None,
    ) -> None:
        self.benchmark: BenchmarkSpec = load_benchmark(benchmark)
        self.session = layout.valid_session(session)
        self.neurons = _with_defaults(neurons, self._default_neuron_fields())
        self.trials = _with_defaults(trials, {"frame_image_class": "unknown"})
        self.images = images
        self.responses = responses
        self.behavior = self._given_or_zero("behavior", behavior)
        self.pupil_center = self._given_or_zero("pupil_center", pupil_center)
        self.source = source
        self.stored_statistics: dict[str, VariableStatistics] = dict(statistics or {})
        self._statistics: RecordingStatistics | None = None
        self._fingerprint = fingerprint
        self._withheld_tiers = withheld_tiers
        self._validate()

    def _given_or_zero(self, variable: str, values: Array | None) -> Array:
        components = len(self.benchmark.components[variable])
        return np.zeros((len(self.trials), components), dtype=np.float32) if values is None else values

    def _default_neuron_fields(self) -> dict[str, str | int]:
        if not is_default(self.benchmark):
            return {"area": "unknown", "layer": "unknown"}
        parts = self.session.split("-")
        numbers = parts if len(parts) == 3 and all(p.isdecimal() for p in parts) else ["0", "0", "0"]
        animal, session, scan = (int(part) for part in numbers)
        return {"area": "unknown", "layer": "unknown", "animal_id": animal, "session": session, "scan_idx": scan}

    def _validate(self) -> None:
        prefix = f"Recording {self.session}"
        for table, columns, name in (
            (self.neurons, ("unit_id", "x", "y", "z"), "neurons"),
            (self.trials, ("tier", "image_id", "trial_idx"), "trials"),
        ):
            missing = [c for c in columns if c not in table.columns]
            if missing:
                raise InputError(
                    f"{prefix}: the table of {name} has no column {', '.join(missing)}; it needs {columns}."
                )
        count, neurons = len(self.trials), len(self.neurons)
        stimulus, channels = self.benchmark.stimulus, self.benchmark.image_channels
        if self.images.ndim != 4 or self.images.shape[1] != channels:
            raise InputError(
                f"{prefix}: images have shape {self.images.shape}; expected (trials, {channels}, height, width)."
            )
        if stimulus.height is not None and self.image_shape != (stimulus.height, stimulus.width):
            height, width = self.image_shape
            raise InputError(
                f"{prefix}: images have {height}×{width} pixels; those of benchmark {self.benchmark.name} have "
                f"{stimulus.height}×{stimulus.width}."
            )
        expected = {"responses": (count, neurons)}
        expected |= {name: (count, len(components)) for name, components in self.benchmark.components.items()}
        for name, shape in expected.items():
            values: Array = getattr(self, name)
            if values.shape != shape:
                raise InputError(
                    f"{prefix}: {name} have shape {values.shape}; {count} trials and {neurons} neurons need {shape}."
                )
        if len(self.images) != count:
            raise InputError(f"{prefix}: there are {len(self.images)} images for {count} trials; each trial needs one.")
        for column, table in (("unit_id", self.neurons), ("trial_idx", self.trials)):
            duplicates = table[column][table[column].duplicated()]
            if len(duplicates):
                raise InputError(f"{prefix}: {column} {duplicates.iloc[0]} is not unique; each must occur once.")
        tiers = self.benchmark.tier_order
        unknown = sorted(set(self.trials["tier"]) - set(tiers))
        if unknown:
            raise InputError(f"{prefix}: unknown tier {unknown[0]!r}; allowed are {', '.join(tiers)}.")

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Recording", name, [*dir(type(self)), *self.__dict__])

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays of all variables of the benchmark by name."""
        return {name: getattr(self, name) for name in self.benchmark.variables}

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    @property
    def unit_ids(self) -> NDArray[np.int64]:
        """Unit ids of the neurons, shape (N,)."""
        return self.neurons["unit_id"].to_numpy(dtype=np.int64)

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Cortical positions x, y, z of the neurons in µm, shape (N, 3)."""
        return self.neurons[["x", "y", "z"]].to_numpy(dtype=np.float64)

    @property
    def tiers(self) -> tuple[str, ...]:
        """Tiers of the recording, in the order of the benchmark."""
        present = set(self.trials["tier"])
        return tuple(t for t in self.benchmark.tier_order if t in present)

    def rows(self, tier: str) -> NDArray[np.int64]:
        """Return the row numbers of the trials of one tier in ascending order.

        Parameters
        ----------
        tier
            Name of the tier.

        Returns
        -------
        (R,) int64

        Raises
        ------
        InputError
            If the recording has no such tier.
        """
        name = self.benchmark.tier_name(tier)
        rows = np.flatnonzero((self.trials["tier"] == name).to_numpy())
        if rows.size == 0:
            raise InputError(
                f"Recording {self.session} has no trials of tier {name!r}; it has {', '.join(self.tiers)}."
            )
        return rows

    @property
    def withheld_tiers(self) -> frozenset[str]:
        """Test tiers whose responses are withheld, which means all zero."""
        if self._withheld_tiers is None:
            self._withheld_tiers = frozenset(
                t for t in self.tiers if t in self.benchmark.test_tiers and not self.responses[self.rows(t)].any()
            )
        return self._withheld_tiers

    @cached_property
    def behavior_withheld(self) -> bool:
        """Whether behaviour is withheld, which means all zero."""
        return self.behavior.shape[1] > 0 and not self.behavior.any()

    @cached_property
    def pupil_center_withheld(self) -> bool:
        """Whether the eye position is withheld, which means all zero."""
        return self.pupil_center.shape[1] > 0 and not self.pupil_center.any()

    def measured_responses(self, tier: str) -> Array:
        """Return the responses of one tier in raw units, shape (trials of the tier, N).

        Parameters
        ----------
        tier
            Name of the tier.

        Raises
        ------
        WithheldError
            If the responses of the tier are withheld.
        InputError
            If the recording has no such tier.
        """
        name = self.benchmark.tier_name(tier)
        if name in self.withheld_tiers:
            raise WithheldError(
                f"The responses of tier {name!r} of {self.session} are withheld (all zero in the archive): "
                "predict them and have them scored; they can be neither trained on nor scored against here."
            )
        return np.asarray(self.responses[self.rows(name)])

    @property
    def statistics(self) -> Mapping[str, VariableStatistics]:
        """Statistics by variable: stored statistics, or statistics of the training trials (ddof 0) if none are stored."""
        if self._statistics is None:
            rows = np.flatnonzero((self.trials["tier"] == self.benchmark.training_tier).to_numpy())
            self._statistics = RecordingStatistics(
                {
                    name: self.stored_statistics.get(name) or compute_statistics(name, values, rows, self.benchmark)
                    for name, values in self.arrays.items()
                }
            )
        return self._statistics

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, which is the same for a zip, a folder and arrays in memory."""
        if self._fingerprint is None:
            self._fingerprint = content_hash(self)
        return self._fingerprint

    def with_benchmark(self, benchmark: Benchmark) -> "Recording":
        """Return the same trials and neurons as a recording of another benchmark; statistics are computed anew.

        Raises
        ------
        InputError
            If there is no such benchmark, or the recording does not fit it.

        Examples
        --------
        >>> import striate
        >>> from striate.benchmarks import BenchmarkSpec
        >>> settings = {"neurons": 5, "train": 20, "validation": 5, "test_images": 4, "repeats": 1, "image_shape": (18, 32)}
        >>> recording = striate.simulate(**settings, seed=1).recording
        >>> list(recording.with_benchmark(BenchmarkSpec(name="still-mice")).arrays)
        ['images', 'responses']
        """
        spec = load_benchmark(benchmark)
        if spec == self.benchmark:
            return self
        arrays = {name: values for name, values in self.arrays.items() if name in spec.variables}
        return Recording(
            self.session,
            self.neurons,
            self.trials,
            self.images,
            self.responses,
            arrays.get("behavior"),
            arrays.get("pupil_center"),
            benchmark=spec,
        )

    def __repr__(self) -> str:
        tiers = ", ".join(f"{t} {(self.trials['tier'] == t).sum()}" for t in self.tiers)
        return f"<Recording {self.session}: {len(self.neurons)} neurons, {len(self.trials)} trials ({tiers}), {self._size()}>"

    def _size(self, times: str = "×") -> str:
        """Height and width of the images, and the names of their channels if there are several."""
        height, width = self.image_shape
        channels = self.benchmark.stimulus.channels
        return f"{height}{times}{width}" + (f" ({', '.join(channels)})" if len(channels) > 1 else "")

    def _repr_html_(self) -> str:
        withheld = [f"responses of {tier}" for tier in sorted(self.withheld_tiers)]
        withheld += ["behaviour"] * self.behavior_withheld + ["eye position"] * self.pupil_center_withheld
        areas = self.neurons["area"].value_counts()
        facts = notebook_html.key_value_table(
            {
                "neurons": f"{len(self.neurons):,} ({', '.join(f'{area} {count:,}' for area, count in areas.head(4).items())})",
                "images": f"{self._size(' × ')} pixels",
                "withheld": ", ".join(withheld) or "nothing",
                "source": self.source.name if self.source else "memory",
            }
        )
        rows, images, captions = [], [], []
        for tier in self.tiers:
            image_ids = self.trials.loc[self.rows(tier), "image_id"]
            repeats = image_ids.value_counts()
            low, high = int(repeats.min()), int(repeats.max())
            rows.append((tier, f"{len(image_ids):,}", f"{len(repeats):,}", low if low == high else f"{low}–{high}"))
            for row in image_ids.drop_duplicates().index[: _GALLERY_SIZE // len(self.tiers)]:
                images.append(picture(self.images[row], self.benchmark.stimulus))
                captions.append(f"{tier}, image {image_ids[row]}")
        tiers = notebook_html.table(("tier", "trials", "images", "repeats"), rows)
        return notebook_html.section(
            f"Recording {self.session}", facts, tiers, notebook_html.image_gallery(images, captions)
        )


def _with_defaults(table: pd.DataFrame, defaults: Mapping[str, str | int]) -> pd.DataFrame:
    """Copy a table, add missing columns with default values, and number the rows from 0."""
    completed = table.reset_index(drop=True)
    for column, value in defaults.items():
        if column not in completed:
            completed[column] = value
    return completed


def content_hash(recording: Recording) -> str:
    """Return the SHA-256 of the content of a recording, independent of its storage."""
    digest = hashlib.sha256()
    for name, values in recording.arrays.items():
        digest.update(f"{name} {values.shape}".encode())
        step = max(1, _HASH_BLOCK // max(1, int(np.prod(values.shape[1:]))))
        blocks = (values[start : start + step] for start in range(0, len(values), step))
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for block_hash in pool.map(_block_hash, blocks):
                digest.update(block_hash)
    for table in (recording.neurons, recording.trials):
        for column in sorted(table.columns):
            digest.update(column.encode(errors="surrogatepass"))
            digest.update("\x1f".join(map(str, table[column].tolist())).encode(errors="surrogatepass"))
    if not is_default(recording.benchmark):
        digest.update(f"benchmark {recording.benchmark.sha256}".encode())
    for name, statistics in sorted(recording.statistics.items()):
        for field in layout.STATISTICS:
            digest.update(f"{name} {field}".encode())
            with np.errstate(over="ignore"):  # some archives store statistics in single precision
                digest.update((np.asarray(getattr(statistics, field), dtype=np.float32) + 0.0).tobytes())
    return digest.hexdigest()


def _block_hash(block: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(_canonical(block)).data).digest()


def _canonical(block: Array) -> Array:
    """Return the values in the narrowest lossless type of uint8, float32 and float64, independent of their dtype."""
    if block.dtype == np.uint8:
        return block
    sample = block.reshape(-1)[:4096]
    for part in (sample, block):  # a sample is mostly enough to rule out uint8
        if not np.array_equal(part, np.clip(np.rint(part), 0, 255)):
            break
    else:
        return block.astype(np.uint8)
    with np.errstate(over="ignore"):  # the comparison below detects overflow
        single = np.asarray(block, dtype=np.float32)
    lossless = block.dtype.kind == "f" and block.dtype.itemsize <= single.itemsize
    if not lossless and not np.array_equal(single, block, equal_nan=block.dtype.kind == "f"):
        single = np.asarray(block, dtype=np.float64)
    return single + single.dtype.type(0)  # replaces negative zero by zero
