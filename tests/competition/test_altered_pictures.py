"""Pictures are found again after everything that leaves their structure, and others are not taken for them."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.competition.photographs import PHOTOGRAPHS

import striate
from striate.competition.altered_pictures import altered_pictures
from striate.stimuli import dead_leaves, gabor, grating, natural_like, to_grey

SHAPE = (36, 64)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(3)
    return np.stack([natural_like(SHAPE, rng)[0] for _ in range(30)])


def sized(picture, shape):
    return np.asarray(Image.fromarray(picture).resize(shape[::-1], Image.Resampling.BICUBIC))


def shifted(picture, down, right, fill=None):
    """Move a picture; what comes in is wrapped, repeats the edge, or has one grey value."""
    height, width = picture.shape
    rows, columns = np.arange(height) - down, np.arange(width) - right
    if fill == "edge":
        return picture[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    moved = np.roll(picture, (down, right), (0, 1))
    if fill is not None:
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        moved = np.where(inside, moved, fill)
    return moved.astype(np.uint8)


def masked(picture, inside, fill):
    return np.where(inside, picture, fill).astype(np.uint8)


def disc(picture):
    rows, columns = np.indices(picture.shape)
    height, width = picture.shape
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (0.4 * height) ** 2


def rectangle(picture):
    rows, columns = np.indices(picture.shape)
    height, width = picture.shape
    return (rows > 0.15 * height) & (rows < 0.85 * height) & (columns > 0.2 * width) & (columns < 0.7 * width)


def cropped(picture, share, down=0.5, right=0.5):
    height, width = (round(share * side) for side in picture.shape)
    top, left = int(down * (picture.shape[0] - height)), int(right * (picture.shape[1] - width))
    return sized(picture[top : top + height, left : left + width], picture.shape)


def jpeg(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=30)
    return np.asarray(Image.open(stream))


def blurred(picture):
    small = sized(picture, tuple(side // 3 for side in picture.shape))
    return sized(small, picture.shape)


def noisy(picture):
    noise = np.random.default_rng(0).normal(0, 20, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


ALTERED = {
    "shifted, wrapped": (lambda p: shifted(p, 0, round(0.3 * p.shape[1])), "shifted by"),
    "shifted, black": (lambda p: shifted(p, 0, -round(0.3 * p.shape[1]), 0), "shifted by"),
    "shifted, edges repeated": (
        lambda p: shifted(p, round(0.1 * p.shape[1]), round(0.2 * p.shape[1]), "edge"),
        "shifted by",
    ),
    "a disc kept": (lambda p: masked(p, disc(p), p.mean()), "partly masked"),
    "a disc removed": (lambda p: masked(p, ~disc(p), 0), "partly masked"),
    "a rectangle kept": (lambda p: masked(p, rectangle(p), 0), "partly masked"),
    "a rectangle removed": (lambda p: masked(p, ~rectangle(p), 255), "partly masked"),
    "left and right": (lambda p: p[:, ::-1], "mirrored left to right"),
    "top and bottom": (lambda p: p[::-1], "mirrored top to bottom"),
    "upside down": (lambda p: p[::-1, ::-1], "rotated by 180°"),
    "inverted": (lambda p: 255 - p, "inverted in contrast"),
    "gain and offset": (lambda p: (0.4 * p + 90).astype(np.uint8), ""),
    "gamma of a half": (lambda p: (255 * (p / 255) ** 0.5).astype(np.uint8), ""),
    "gamma of two": (lambda p: (255 * (p / 255) ** 2).astype(np.uint8), ""),
    "cropped": (lambda p: cropped(p, 0.7), "cropped and enlarged 1.4"),
    "cropped at a corner": (lambda p: cropped(p, 0.75, 0, 1), "cropped and enlarged 1.3"),
    "cropped and mirrored": (lambda p: cropped(p, 0.85, 0.2, 0.7)[:, ::-1], "mirrored left to right, cropped"),
    "re-encoded": (jpeg, ""),
    "half the size": (lambda p: sized(sized(p, (p.shape[0] // 2, p.shape[1] // 2)), p.shape), ""),
    "noise": (noisy, ""),
    "blurred": (blurred, ""),
    "several at once": (lambda p: jpeg(255 - shifted(p[:, ::-1], 0, p.shape[1] // 10)), "shifted by"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALTERED)
def test_an_altered_picture_is_found(kind, pictures):
    alter, said = ALTERED[kind]
    wanted, others = pictures[:6], pictures[6:].copy()
    rows = [5, 11, 17, 20]
    for row, number in zip(rows, range(4), strict=True):
        others[row] = alter(wanted[number])
    found = {each.wanted: each for each in altered_pictures(wanted, [others])}
    assert {number: each.other for number, each in found.items()} == dict(enumerate(rows))
    assert all(each.correlation > 0.8 for each in found.values())
    assert sum(said in each.described(*SHAPE) for each in found.values()) >= 3, [
        e.described(*SHAPE) for e in found.values()
    ]


def test_how_far_a_picture_was_shifted_is_said(pictures):
    others = np.stack([shifted(pictures[0], 3, -4, 0), pictures[20]])
    (found,) = altered_pictures(pictures[:2], [others])
    assert found.described(*SHAPE) == "shifted by 5 pixels"
    assert found.shift == pytest.approx((3 / 36, -4 / 64), abs=0.005)
    assert found.correlation > 0.99


def test_square_pictures_are_turned(pictures):
    square = pictures[:, :, :36]
    others = np.stack([*square[10:], np.rot90(square[0], 1), np.rot90(square[1], -1), square[2].T])
    found = {each.wanted: each.described(36, 36) for each in altered_pictures(square[:4], [others])}
    assert found == {
        0: "rotated by 90° counter-clockwise",
        1: "rotated by 90° clockwise",
        2: "mirrored along a diagonal",
    }


def test_pictures_of_another_size_are_found(pictures):
    larger = np.stack([sized(picture, (72, 128)) for picture in pictures])
    (found,) = altered_pictures(pictures[:3], [pictures[10:], np.concatenate([larger[5:15], larger[1:2]])])
    assert (found.wanted, found.other) == (1, 30)


def test_a_single_picture_is_found_among_many(pictures):
    others = np.concatenate([pictures[1:], shifted(pictures[0], 2, 5)[None]])
    (found,) = altered_pictures(pictures[:1], [others])
    assert found.other == len(others) - 1


def test_the_same_pictures_are_left_out_if_asked(pictures):
    mirrored = pictures[:1, :, ::-1]
    others = np.concatenate([pictures[:1], mirrored])
    (found,) = altered_pictures(pictures[:1], [others], np.array([[True, False]]))
    assert found.other == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["dead leaves", "natural"])
def test_different_pictures_are_not_taken_for_each_other(kind, seed):
    rng = np.random.default_rng(seed)
    if kind == "natural":
        made = np.stack([natural_like(SHAPE, rng)[0] for _ in range(80)])
    else:
        made = np.stack([to_grey(dead_leaves(SHAPE, rng)) for _ in range(80)])
    assert altered_pictures(made[:20], [made[20:]]) == []


def test_the_pictures_of_a_test_are_not_taken_for_others(pictures):
    assert altered_pictures(pictures[:6], [pictures[6:]]) == []


@pytest.mark.slow
def test_pictures_with_little_structure_are_not_taken_for_each_other():
    """Gratings, single patches, edges, gradients, and pictures of one grey value: each is a shifted form of many others."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:36, :64] / 64
    made = [to_grey(grating(SHAPE, 180 * rng.random(), rng.uniform(0.05, 0.15), 6 * rng.random())) for _ in range(20)]
    for _ in range(20):
        place = (rng.uniform(20, 44), rng.uniform(12, 24))
        made.append(to_grey(gabor(SHAPE, place, orientation=180 * rng.random(), frequency=0.1, sigma=5)))
    for _ in range(20):
        angle, place = rng.uniform(0, np.pi), rng.uniform(0.2, 0.6)
        across = np.cos(angle) * columns + np.sin(angle) * rows
        made += [(255 * (across > place)).astype(np.uint8), (127 * (1 + across)).clip(0, 255).astype(np.uint8)]
    made += [np.full(SHAPE, value, np.uint8) for value in (0, 90, 255)]
    images = np.stack(made)[rng.permutation(len(made))]
    assert altered_pictures(images[:30], [images[30:]]) == []


def photographed(shared):
    """By photograph: images of the example archive that were cut from it."""
    recording = striate.open(next((shared / "archives").glob("static90005-1-1*.zip")))
    rows = {image: row for row, image in enumerate(recording.trials["image_id"].tolist())}
    return {
        name: np.asarray(recording.images[[rows[image] for image in ids]])[:, 0] for name, ids in PHOTOGRAPHS.items()
    }


@pytest.mark.slow
def test_images_of_different_photographs_are_not_taken_for_each_other(shared):
    images = photographed(shared)
    for name, own in images.items():
        others = [each for other, each in images.items() if other != name]
        assert altered_pictures(own, others) == [], name


@pytest.mark.slow
@pytest.mark.parametrize("session", ["90001-1-1", "90002-1-1"])
def test_images_of_the_example_archives_are_not_taken_for_each_other(session, shared):
    recording = striate.open(next((shared / "archives").glob(f"static{session}*.zip")))
    once = recording.trials.drop_duplicates("image_id")
    tests = once["tier"].isin(["test", "final_test"]).to_numpy()
    rows = once.index.to_numpy()
    assert altered_pictures(recording.images[rows[tests]], [recording.images[rows[~tests]]]) == []


@pytest.mark.slow
def test_most_altered_photographs_are_found(shared):
    """A few have little but one edge or a smooth background; those are let go."""
    images = photographed(shared)
    wanted = np.stack([each[number] for number in range(2) for each in images.values()])
    missed = {}
    for kind, (alter, _) in ALTERED.items():
        found = altered_pictures(wanted, [np.stack([alter(each) for each in wanted])])
        same = sum(each.wanted % len(images) == each.other % len(images) for each in found)
        missed[kind] = len(wanted) - same
        assert same == len(found)
    assert max(missed.values()) <= len(wanted) // 3, missed
    assert sum(missed.values()) <= 0.1 * len(wanted) * len(ALTERED), missed
