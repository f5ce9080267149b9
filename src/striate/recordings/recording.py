"""What a recording is: neurons, trials, and one array for each variable, trials first."""

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
from striate.errors import InputError, UnknownAttributeError, WithheldError
from striate.recordings import layout
from striate.recordings.statistics import RecordingStatistics, VariableStatistics, compute_statistics

Array = NDArray[Any]

_GALLERY = 8  # images that a notebook shows
_HASHED = 2**22  # values that are hashed at a time


class Recording:
    """One recording session: what was shown, what the neurons answered, how the animal behaved.

    Parameters
    ----------
    session
        Name of the session, ``animal-session-scan`` in the benchmark, for example ``"27204-5-13"``.
    neurons : DataFrame, N rows
        Columns ``unit_id`` (unique integers), ``x``, ``y``, ``z`` (cortical position in µm), and where known
        ``area``, ``layer``, ``animal_id``, ``session``, ``scan_idx`` (filled in where missing: ``"unknown"``,
        and the parts of the session's name). Row n is column n of `responses`.
    trials : DataFrame, T rows
        Columns ``tier``, ``image_id``, ``trial_idx`` (integers, or strings where the order is withheld), and
        whatever else ``meta/trials`` holds. Row t is trial t.
    images : (T, 1, H, W)
        The image shown in each trial, grey values 0–255.
    responses : (T, N)
        Deconvolved calcium responses, raw units, ≥ 0. All zero where withheld.
    behavior : (T, 3)
        Pupil dilation, its derivative, running speed. All zero where withheld.
    pupil_center : (T, 2)
        Horizontal and vertical eye position. All zero where withheld.
    statistics
        Stored statistics by variable name; those that are missing are computed over the training trials.
    source
        The archive or folder that it was read from.

    Raises
    ------
    InputError
        If the numbers of trials or neurons disagree, a column is missing, or a tier is unknown.
    """

    def __init__(
        self,
        session: str,
        neurons: pd.DataFrame,
        trials: pd.DataFrame,
        images: Array,
        responses: Array,
        behavior: Array,
        pupil_center: Array,
        statistics: Mapping[str, VariableStatistics] | None = None,
        *,
        source: Path | None = None,
        fingerprint: str | None = None,
        withheld_tiers: frozenset[str] | None = None,
    ) -> None:
        self.session = layout.valid_session(session)
        self.neurons = _completed(neurons, self._default_neuron_fields())
        self.trials = _completed(trials, {"frame_image_class": "unknown"})
        self.images = images
        self.responses = responses
        self.behavior = behavior
        self.pupil_center = pupil_center
        self.source = source
        self.stored_statistics: dict[str, VariableStatistics] = dict(statistics or {})
        self._statistics: RecordingStatistics | None = None
        self._fingerprint = fingerprint
        self._withheld_tiers = withheld_tiers
        self._validate()

    def _default_neuron_fields(self) -> dict[str, str | int]:
        parts = self.session.split("-")
        named = parts if len(parts) == 3 and all(p.isdecimal() for p in parts) else ["0", "0", "0"]
        animal, session, scan = (int(part) for part in named)
        return {"area": "unknown", "layer": "unknown", "animal_id": animal, "session": session, "scan_idx": scan}

    def _validate(self) -> None:
        where = f"Recording {self.session}"
        for table, columns, name in (
            (self.neurons, ("unit_id", "x", "y", "z"), "neurons"),
            (self.trials, ("tier", "image_id", "trial_idx"), "trials"),
        ):
            missing = [c for c in columns if c not in table.columns]
            if missing:
                raise InputError(
                    f"{where}: the table of {name} has no column {', '.join(missing)}; it needs {columns}."
                )
        count, neurons = len(self.trials), len(self.neurons)
        if self.images.ndim != 4 or self.images.shape[1] != 1:
            raise InputError(f"{where}: images have shape {self.images.shape}; expected (trials, 1, height, width).")
        expected = {"responses": (count, neurons), "behavior": (count, 3), "pupil_center": (count, 2)}
        for name, shape in expected.items():
            if self.arrays[name].shape != shape:
                raise InputError(
                    f"{where}: {name} have shape {self.arrays[name].shape}; {count} trials and {neurons} neurons need {shape}."
                )
        if len(self.images) != count:
            raise InputError(f"{where}: there are {len(self.images)} images for {count} trials; each trial needs one.")
        for column, table in (("unit_id", self.neurons), ("trial_idx", self.trials)):
            doubled = table[column][table[column].duplicated()]
            if len(doubled):
                raise InputError(f"{where}: {column} {doubled.iloc[0]} stands twice; each must be unique.")
        unknown = sorted(set(self.trials["tier"]) - set(layout.TIERS))
        if unknown:
            raise InputError(f"{where}: unknown tier {unknown[0]!r}; allowed are {', '.join(layout.TIERS)}.")

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Recording", name, [*dir(type(self)), *self.__dict__])

    @property
    def arrays(self) -> dict[str, Array]:
        """The variables of the trials by name."""
        return {name: getattr(self, name) for name in layout.VARIABLES}

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    @property
    def unit_ids(self) -> NDArray[np.int64]:
        """Unit id of each neuron, shape (N,)."""
        return self.neurons["unit_id"].to_numpy(dtype=np.int64)

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Cortical position x, y, z of each neuron in µm, shape (N, 3)."""
        return self.neurons[["x", "y", "z"]].to_numpy(dtype=np.float64)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that the recording has, in the order of `layout.TIERS`."""
        present = set(self.trials["tier"])
        return tuple(t for t in layout.TIERS if t in present)

    def rows(self, tier: str) -> NDArray[np.int64]:
        """Trials of one tier, as row numbers in ascending order.

        Raises
        ------
        InputError
            If the recording has no such tier.
        """
        name = layout.tier_name(tier)
        rows = np.flatnonzero((self.trials["tier"] == name).to_numpy())
        if rows.size == 0:
            raise InputError(
                f"Recording {self.session} has no trials of tier {name!r}; it has {', '.join(self.tiers)}."
            )
        return rows

    @property
    def withheld_tiers(self) -> frozenset[str]:
        """Test tiers whose responses are withheld (present, and all zero)."""
        if self._withheld_tiers is None:
            self._withheld_tiers = frozenset(
                t for t in self.tiers if t in layout.TEST_TIERS and not self.responses[self.rows(t)].any()
            )
        return self._withheld_tiers

    @cached_property
    def behavior_withheld(self) -> bool:
        """Whether behaviour is withheld (present, and all zero)."""
        return not self.behavior.any()

    @cached_property
    def pupil_center_withheld(self) -> bool:
        """Whether the eye position is withheld (present, and all zero)."""
        return not self.pupil_center.any()

    def measured_responses(self, tier: str) -> Array:
        """Raw responses of one tier, shape (trials of the tier, N).

        Raises
        ------
        WithheldError
            If the responses of that tier are withheld.
        """
        name = layout.tier_name(tier)
        if name in self.withheld_tiers:
            raise WithheldError(
                f"The responses of tier {name!r} of {self.session} are withheld (all zero in the archive): "
                "predict them and have them scored; they can be neither trained on nor scored against here."
            )
        return np.asarray(self.responses[self.rows(name)])

    @property
    def statistics(self) -> Mapping[str, VariableStatistics]:
        """Statistics by variable: the stored ones as they are, else computed over the training trials (ddof 0)."""
        if self._statistics is None:
            rows = np.flatnonzero((self.trials["tier"] == "train").to_numpy())
            self._statistics = RecordingStatistics(
                {
                    name: self.stored_statistics.get(name) or compute_statistics(name, values, rows)
                    for name, values in self.arrays.items()
                }
            )
        return self._statistics

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content: the same for the same recording, as zip, folder or arrays."""
        if self._fingerprint is None:
            self._fingerprint = content_hash(self)
        return self._fingerprint

    def __repr__(self) -> str:
        height, width = self.image_shape
        tiers = ", ".join(f"{t} {(self.trials['tier'] == t).sum()}" for t in self.tiers)
        return f"<Recording {self.session}: {len(self.neurons)} neurons, {len(self.trials)} trials ({tiers}), {height}×{width}>"

    def _repr_html_(self) -> str:
        height, width = self.image_shape
        withheld = [f"responses of {tier}" for tier in sorted(self.withheld_tiers)]
        withheld += ["behaviour"] * self.behavior_withheld + ["eye position"] * self.pupil_center_withheld
        areas = self.neurons["area"].value_counts()
        about = notebook_html.key_value_table(
            {
                "neurons": f"{len(self.neurons):,} ({', '.join(f'{area} {count:,}' for area, count in areas.head(4).items())})",
                "images": f"{height} × {width} pixels",
                "withheld": ", ".join(withheld) or "nothing",
                "source": self.source.name if self.source else "memory",
            }
        )
        rows, pictures, captions = [], [], []
        for tier in self.tiers:
            of_tier = self.trials.loc[self.rows(tier), "image_id"]
            repeats = of_tier.value_counts()
            low, high = int(repeats.min()), int(repeats.max())
            rows.append((tier, f"{len(of_tier):,}", f"{len(repeats):,}", low if low == high else f"{low}–{high}"))
            for row in of_tier.drop_duplicates().index[: _GALLERY // len(self.tiers)]:
                pictures.append(np.clip(self.images[row, 0], 0, 255).astype(np.uint8))
                captions.append(f"{tier}, image {of_tier[row]}")
        tiers = notebook_html.table(("tier", "trials", "images", "repeats"), rows)
        return notebook_html.section(
            f"Recording {self.session}", about, tiers, notebook_html.image_gallery(pictures, captions)
        )


def _completed(table: pd.DataFrame, defaults: Mapping[str, str | int]) -> pd.DataFrame:
    """Copy a table, with the columns that the layout has and the table lacks, and rows numbered from 0."""
    complete = table.reset_index(drop=True)
    for column, value in defaults.items():
        if column not in complete:
            complete[column] = value
    return complete


def content_hash(recording: Recording) -> str:
    """SHA-256 over the content of a recording, independent of how it is stored."""
    digest = hashlib.sha256()
    for name, values in recording.arrays.items():
        digest.update(f"{name} {values.shape}".encode())
        step = max(1, _HASHED // max(1, int(np.prod(values.shape[1:]))))
        blocks = (values[start : start + step] for start in range(0, len(values), step))
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for of_block in pool.map(_block_hash, blocks):
                digest.update(of_block)
    for table in (recording.neurons, recording.trials):
        for column in sorted(table.columns):
            digest.update(column.encode(errors="surrogatepass"))
            digest.update("\x1f".join(map(str, table[column].tolist())).encode(errors="surrogatepass"))
    for name, statistics in sorted(recording.statistics.items()):
        for field in layout.STATISTICS:
            digest.update(f"{name} {field}".encode())
            with np.errstate(over="ignore"):  # single precision, as some archives store them
                digest.update((np.asarray(getattr(statistics, field), dtype=np.float32) + 0.0).tobytes())
    return digest.hexdigest()


def _block_hash(block: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(_canonical(block)).data).digest()


def _canonical(block: Array) -> Array:
    """The same values in the narrowest of three types that loses nothing, whatever they are stored as."""
    if block.dtype == np.uint8:
        return block
    few = block.reshape(-1)[:4096]
    for part in (few, block):  # a few values mostly suffice to rule the narrowest out
        if not np.array_equal(part, np.clip(np.rint(part), 0, 255)):
            break
    else:
        return block.astype(np.uint8)
    with np.errstate(over="ignore"):  # what is too large is compared below, and kept in double precision
        single = np.asarray(block, dtype=np.float32)
    lossless = block.dtype.kind == "f" and block.dtype.itemsize <= single.itemsize
    if not lossless and not np.array_equal(single, block, equal_nan=block.dtype.kind == "f"):
        single = np.asarray(block, dtype=np.float64)
    return single + single.dtype.type(0)  # there is no negative zero
