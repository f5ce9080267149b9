"""Pictures that are found again after they were shifted, mirrored, turned, masked, cropped, inverted or re-encoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from striate.competition.picture_structure import Floats, Grids, grid_shape, joined, local_mean, on_grid

_SCALES = (1.0, 1 / 1.42, 1 / 1.3, 1 / 1.19, 1 / 1.09, 1.09, 1.19, 1.3, 1.42)
_BETWEEN = (0.0, -0.045, -0.03, -0.015, 0.015, 0.03, 0.045)  # from one scale to the next
_MIRRORINGS = ((False, False), (False, True), (True, False), (True, True))
_SHIFT = 0.32  # of the width
_HIGHEST = 0.7  # frequency of the search, relative to the highest of its grid
_SEARCHED, _COMPARED, _KEPT = 576, 2304, 9216  # pixels of the grids
_CANDIDATES = 12  # for each picture
_ROWS = 5  # wanted pictures, whose median says how much another one resembles them
_BLOCK = 64  # pictures that are compared at a time
_PROMINENCE = 36.0  # gratings, single patches and edges reach 32
_TIMES_USUAL = 4.0  # times the lower quartile of the prominence among the candidates
_ENOUGH = 50  # candidates for a quartile
_EXPLAINED = 0.6  # of the structure of one picture, where they overlap
_SHARE = 0.08  # of the area
_AGREEMENT = 0.9  # correlation of the structure where it agrees, if that is a small area
_AGREES = 0.5  # local correlation
_MASKED = 0.1  # of the original's structure that is flat in the altered picture


@dataclass(frozen=True)
class Alteration:
    """A picture that is another one, altered.

    Attributes
    ----------
    wanted, other
        Rows of the original and of the altered picture.
    turned
        Whether rows and columns are exchanged, before it is mirrored.
    mirrored
        From top to bottom, and from left to right.
    inverted
        Whether bright is dark.
    masked
        Whether parts of it are flat that are not so in the original.
    scale
        Size of what both show: more than 1 where the altered picture is an enlarged part.
    shift
        Down and to the right, as shares of the height and width.
    correlation
        Of the pixels where both agree.
    share
        Of the altered picture's area in which they agree.
    prominence
        How much the correlation of the structure stands out from that at other places: the square of the largest, divided by the
        standard deviation and by the largest of those at other places.
    """

    wanted: int
    other: int
    turned: bool
    mirrored: tuple[bool, bool]
    inverted: bool
    masked: bool
    scale: float
    shift: tuple[float, float]
    correlation: float
    share: float
    prominence: float

    def described(self, height: int, width: int) -> str:
        """Say what was done to a picture of that size."""
        parts = []
        match (self.turned, *self.mirrored):
            case (False, True, True):
                parts.append("rotated by 180°")
            case (False, True, False):
                parts.append("mirrored top to bottom")
            case (False, False, True):
                parts.append("mirrored left to right")
            case (True, False, True):
                parts.append("rotated by 90° clockwise")
            case (True, True, False):
                parts.append("rotated by 90° counter-clockwise")
            case (True, _, _):
                parts.append("mirrored along a diagonal")
        if abs(self.scale - 1) > 0.05:
            parts.append(
                f"cropped and enlarged {self.scale:.2f} times" if self.scale > 1 else f"reduced to {self.scale:.0%}"
            )
        elif distance := round(float(np.hypot(self.shift[0] * height, self.shift[1] * width))):
            parts.append(f"shifted by {distance} pixel{'s' * (distance != 1)}")
        if self.inverted:
            parts.append("inverted in contrast")
        if self.masked and abs(self.scale - 1) <= 0.05 and "shifted" not in " ".join(parts):
            parts.append("partly masked")
        return ", ".join(parts) or "changed in its grey values"


def altered_pictures(
    wanted: NDArray[np.generic], others: Iterable[NDArray[np.generic]], same: NDArray[np.bool_] | None = None
) -> list[Alteration]:
    """Find which of some pictures are altered versions of wanted ones.

    Each wanted picture is compared with each other one by the correlation of their local structure on a coarse grid: at every
    shift up to a third of the width, mirrored along both axes, turned if pictures are square, at sizes from 70 % to 142 %,
    in both contrasts. The most similar ones are compared again on a finer grid. A pair counts if its correlation stands out from those
    at all other places by far more than that of other candidates does (in gratings and along edges other places come close), and
    if most of the structure agrees where the pictures overlap.

    Parameters
    ----------
    wanted : (I, C, H, W)
        Pictures that should be nowhere else.
    others
        Where they are looked for: arrays of pictures, (J, C, H', W'), each of a size of its own. They are numbered through.
    same : (I, J)
        Pairs that are left out, because they are known to be the same.

    Returns
    -------
    list of Alteration
        At most one for each wanted picture, the clearest; the clearest first.
    """
    height, width = wanted.shape[-2:]
    kept, compared, searched = (grid_shape(height, width, pixels) for pixels in (_KEPT, _COMPARED, _SEARCHED))
    first = on_grid(wanted, kept)
    parts = [(grids.scaled(1.0, searched), grids.scaled(1.0, compared)) for grids in (on_grid(p, kept) for p in others)]
    coarse, fine = (joined([part[number] for part in parts]) for number in (0, 1))
    if not len(first) or not len(fine):
        return []
    turns = (False, True) if height == width else (False,)
    search, comparison = _Search(coarse), _Comparison(fine)
    likeness = np.empty((len(first), len(turns), len(fine)), dtype=np.float32)
    scales = np.empty(likeness.shape, dtype=np.int8)
    for row, turn in product(range(len(first)), range(len(turns))):
        likeness[row, turn], scales[row, turn] = search.of(_oriented(first, row, turns[turn]))
    if same is not None:
        likeness[np.broadcast_to(same[:, None], likeness.shape)] = 0
    # Smooth pictures resemble many others: what counts is how much more two resemble each other than either resembles the rest.
    unusual = likeness - np.median(likeness, axis=(1, 2), keepdims=True)
    if len(first) >= _ROWS:
        unusual -= np.median(likeness, axis=(0, 1), keepdims=True)
    unusual = unusual.reshape(len(first), -1)
    prominences: list[float] = []
    found: list[Alteration] = []
    for row, order in enumerate(np.argsort(-unusual, axis=1)[:, :_CANDIDATES]):
        versions: dict[tuple[int, int], list[_Version]] = {}
        for candidate in order.tolist():
            turn, other = divmod(candidate, len(fine))
            if same is not None and same[row, other]:
                continue
            key = (turn, int(scales[row, turn, other]))
            if key not in versions:
                versions[key] = comparison.versions(_oriented(first, row, turns[turn]), _SCALES[key[1]])
            best = comparison.aligned(versions[key], other)
            prominences.append(best.prominence)
            if best.prominence >= _PROMINENCE:
                match = comparison.agreeing(best, other, row, turned=turns[turn])
                found += [match] if match else []
    usual = float(np.quantile(prominences, 0.25)) if len(prominences) >= _ENOUGH else 0.0
    clearest: dict[int, Alteration] = {}
    for each in sorted(found, key=lambda each: -each.prominence):
        if each.prominence >= _TIMES_USUAL * usual:
            clearest.setdefault(each.wanted, each)
    return list(clearest.values())


def _oriented(pictures: Grids, row: int, turned: bool) -> Grids:
    one = pictures[row : row + 1]
    return one.transposed if turned else one


class _Search:
    """Correlates the structure of one picture with that of many, at all shifts and sizes at once."""

    def __init__(self, others: Grids) -> None:
        self.count, height, width = others.grey.shape
        self.shape = (height, width)
        structure = others.structure
        structure -= structure.mean(axis=(1, 2), keepdims=True)
        structure /= np.maximum(np.linalg.norm(structure, axis=(1, 2), keepdims=True), 1e-6)
        self.parts = _waves(structure)

    def of(self, one: Grids) -> tuple[Floats, NDArray[np.int8]]:
        """Largest correlation with each other picture, and the number of the scale at which it is found."""
        sets = [self._placed(one, scale) for scale in _SCALES]
        of_scale = np.repeat(np.arange(len(sets), dtype=np.int8), [len(each) for each in sets])
        own = [np.ascontiguousarray(part.T) for part in _waves(np.concatenate(sets))]
        largest, where = np.empty(self.count, dtype=np.float32), np.empty(self.count, dtype=np.int64)
        for start in range(0, self.count, _BLOCK):
            block = slice(start, start + _BLOCK)
            correlation = _over_mirrorings(*(b[block] @ a for a, b in zip(own, self.parts, strict=True)))
            where[block] = correlation.argmax(axis=1)
            largest[block] = np.take_along_axis(correlation, where[block][:, None], axis=1)[:, 0]
        return largest, of_scale[where]

    def _placed(self, one: Grids, scale: float) -> Floats:
        """The structure of a picture at one size, at each place in the frame that may show it, (K, h, w)."""
        structure = one.scaled(scale, self.shape).structure[0]
        structure -= structure.mean()
        height, width = self.shape
        structure /= max(float(np.sqrt((structure**2).mean() * height * width)), 1e-6)
        if scale == 1:
            reach = [min(round(_SHIFT * width), height // 2), round(_SHIFT * width)]
        else:
            reach = [int(np.ceil(abs(scale - 1) * side / 2)) for side in self.shape]
        for axis, (side, far) in enumerate(zip(self.shape, reach, strict=True)):
            edge = (side - structure.shape[axis]) // 2 + far
            if edge >= 0:
                structure = np.pad(structure, [(edge, edge) if a == axis else (0, 0) for a in (0, 1)])
            else:
                structure = structure.take(range(-edge, structure.shape[axis] + edge), axis)
        return sliding_window_view(structure, self.shape).reshape(-1, height, width)


def _waves(pictures: Floats) -> list[Floats]:
    """Coefficients of the discrete cosine transform (DCT-II) up to `_HIGHEST`, those of even and of odd waves apart.

    Products of coefficients add up to the product of the pictures, but for the highest frequencies, of which structure has little.
    """
    height, width = pictures.shape[1:]
    coefficients = _cosines(height) @ pictures @ _cosines(width).T
    down, right = (np.arange(side) for side in (height, width))
    kept = np.hypot(down[:, None] / height, right / width) < _HIGHEST
    return [
        np.ascontiguousarray(coefficients[:, kept & (down[:, None] % 2 == odd_down) & (right % 2 == odd_right)])
        for odd_down, odd_right in product((0, 1), repeat=2)
    ]


@cache
def _cosines(size: int) -> Floats:
    """Matrix of the orthonormal discrete cosine transform."""
    waves = np.cos(np.pi * np.arange(size)[:, None] * (np.arange(size) + 0.5) / size) * np.sqrt(2 / size)
    waves[0] /= np.sqrt(2)
    return np.asarray(waves, dtype=np.float32)


def _over_mirrorings(even_even: Floats, even_odd: Floats, odd_even: Floats, odd_odd: Floats) -> Floats:
    """Largest size of a correlation over all mirrorings, from those of the parts: mirroring changes the sign of odd ones.

    Works in place, in the memory of the parts: in blocks that fit into the cache of a CPU this takes a tenth of the time.
    """
    upright, upright_odd = even_even + odd_even, even_odd + odd_odd
    even_even -= odd_even
    even_odd -= odd_odd
    for part in (upright, upright_odd, even_even, even_odd):
        np.abs(part, out=part)
    upright += upright_odd
    even_even += even_odd
    np.maximum(upright, even_even, out=upright)
    return upright


@dataclass(frozen=True, eq=False)
class _Version:
    """A picture at one size: its grid, structure, and spectrum."""

    scale: float
    grid: Grids
    structure: Floats
    spectrum: NDArray[np.complex64]


class _Comparison:
    """Aligns two pictures as well as possible, and says whether they are the same."""

    def __init__(self, others: Grids) -> None:
        _, height, width = others.grey.shape
        self.shape, self.padded = (height, width), (2 * height, 2 * width)
        self.others, self.structure = others, others.structure

    def versions(self, one: Grids, scale: float) -> list[_Version]:
        """A picture at sizes about one of those of the search."""
        made = []
        for step in _BETWEEN:
            grid = one.scaled(scale * (1 + step), self.shape)
            structure = grid.structure[0]
            spectrum = np.fft.rfft2(structure, s=self.padded).astype(np.complex64)
            made.append(_Version(scale * (1 + step), grid, structure, spectrum))
        return made

    def aligned(self, versions: list[_Version], other: int) -> "_Correlated":
        """The size, mirroring and place at which a picture is most like another one."""
        picture = self.structure[other]
        spectra = {
            mirrored: np.conj(np.fft.rfft2(_mirrored(picture, mirrored), s=self.padded)) for mirrored in _MIRRORINGS
        }
        tried = [self._correlated(versions[0], mirrored, spectrum) for mirrored, spectrum in spectra.items()]
        best = max(tried, key=lambda each: each.height)
        tried = [self._correlated(version, best.mirrored, spectra[best.mirrored]) for version in versions[1:]]
        return max([best, *tried], key=lambda each: each.height)

    def _correlated(
        self, version: _Version, mirrored: tuple[bool, bool], spectrum: NDArray[np.complexfloating]
    ) -> "_Correlated":
        return _Correlated(version, mirrored, np.fft.irfft2(spectrum * version.spectrum, s=self.padded))

    def agreeing(self, best: "_Correlated", other: int, row: int, *, turned: bool) -> Alteration | None:
        """Compare two aligned pictures place by place; None if too little of their structure agrees."""
        height, width = self.shape
        version, (down, right) = best.version, best.place
        # places beyond the largest that a window can have are negative ones
        rows, columns = version.structure.shape
        down -= self.padded[0] * (down >= rows)
        right -= self.padded[1] * (right >= columns)

        def window(values: Floats) -> Floats:
            framed = np.zeros(self.shape, dtype=np.float32)
            top, left = max(down, 0), max(right, 0)
            part = values[top : down + height, left : right + width]
            framed[top - down : top - down + part.shape[0], left - right : left - right + part.shape[1]] = part
            return framed

        sign = -1 if best.inverted else 1
        own, counts, grey = (window(v) for v in (version.structure, version.grid.counts[0], version.grid.grey[0]))
        given, given_counts, given_grey = (
            _mirrored(v[other], best.mirrored) for v in (self.structure, self.others.counts, self.others.grey)
        )
        both = (counts > 0.5) & (given_counts > 0.5)
        products, own_energy, given_energy = sign * own * given * both, own**2 * both, given**2 * both
        local = local_mean(products) / (np.sqrt(local_mean(own_energy) * local_mean(given_energy)) + 1e-6)
        agree = (local > _AGREES) & both
        # what one picture alone shows may be masked in the other one, but not both ways
        overlap = window(np.ones_like(version.structure)) > 0
        explained = max(
            float((part[agree] ** 2).sum() / max(float((part[overlap] ** 2).sum()), 1e-6)) for part in (own, given)
        )
        share = float(agree.mean())
        energy = float(own_energy[agree].sum() * given_energy[agree].sum())
        agreement = float(products[agree].sum()) / max(energy, 1e-12) ** 0.5
        # the smaller the area, the better it has to agree: a few edges can be laid over those of many pictures
        if explained < _EXPLAINED or share < _SHARE or agreement < _AGREEMENT - share / 3:
            return None
        pixels = np.array([grey[agree] / counts[agree], given_grey[agree] / given_counts[agree]], dtype=np.float64)
        correlation = sign * float(np.asarray(np.corrcoef(pixels))[0, 1])
        moved = (
            down + best.between[0] - (rows - height) // 2,
            right + best.between[1] - (columns - width) // 2,
        )
        signs = [1 if flipped else -1 for flipped in best.mirrored]
        shift = (signs[0] * moved[0] / height, signs[1] * moved[1] / width)
        structured = counts > 0.5
        masked = float(given_counts[structured].mean()) < 1 - _MASKED
        return Alteration(
            wanted=row,
            other=other,
            turned=turned,
            mirrored=best.mirrored,
            inverted=best.inverted,
            masked=masked,
            scale=version.scale,
            shift=shift,
            correlation=correlation,
            share=share,
            prominence=best.prominence,
        )


@dataclass(frozen=True, eq=False)
class _Correlated:
    """The correlation of a version of a picture with another one at each place."""

    version: _Version
    mirrored: tuple[bool, bool]
    values: Floats

    @cached_property
    def place(self) -> tuple[int, int]:
        """Where its size is largest."""
        row, column = np.unravel_index(int(np.abs(self.values).argmax()), self.values.shape)
        return int(row), int(column)

    @property
    def inverted(self) -> bool:
        """Whether the largest correlation is negative."""
        return bool(self.values[self.place] < 0)

    @cached_property
    def height(self) -> float:
        """The largest correlation, relative to the energy of the version per pixel."""
        return abs(float(self.values[self.place])) / max(float(np.sqrt((self.version.structure**2).mean())), 1e-6)

    @property
    def between(self) -> tuple[float, float]:
        """How far from its place, in pixels, a parabola through the largest correlation and its neighbours has its peak."""
        values, found = np.abs(self.values), []
        for axis in (0, 1):
            line = np.roll(values, (-self.place[0], -self.place[1]), (0, 1)).take(0, 1 - axis)
            before, at, after = float(line[-1]), float(line[0]), float(line[1])
            found.append((after - before) / 2 / max(2 * at - before - after, 1e-6))
        return found[0], found[1]

    @cached_property
    def prominence(self) -> float:
        """How much the largest correlation stands out from those at other places."""
        near = np.ix_(
            *((np.arange(at - 4, at + 5) % size) for at, size in zip(self.place, self.values.shape, strict=True))
        )
        far = np.abs(self.values)
        largest = float(far[self.place])
        far[near] = 0
        deviation = float(np.sqrt((far**2).sum() / np.count_nonzero(far))) if far.any() else 0.0
        return largest**2 / max(deviation * float(far.max()), 1e-9)


def _mirrored(picture: Floats, mirrored: tuple[bool, bool]) -> Floats:
    return picture[:: -1 if mirrored[0] else 1, :: -1 if mirrored[1] else 1]
