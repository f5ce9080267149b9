"""Images that are given to a model."""

import io
from pathlib import Path

import numpy as np

from tests.fuzz.targets.target import Target


def _image(path: Path) -> None:
    from striate.data.raw_images import RawImages

    list(RawImages(path))


def _images() -> list[bytes]:
    from PIL import Image

    made = []
    for kind in ("png", "bmp"):
        content = io.BytesIO()
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(content, kind)
        made.append(content.getvalue())
    return made


TARGETS: dict[str, Target] = {
    "picture": Target(_image, "a.png", _images),
}
