"""Sound files that were damaged."""

import struct
from pathlib import Path

from tests.portal.bombs.making import BOMBS, Random, bomb


@bomb(BOMBS)
def cut_short(sound: Path, path: Path, random: Random) -> Path:
    """Some of it is missing: its end, its beginning, or something between."""
    data = sound.read_bytes()
    a, b = sorted(int(n) for n in random.integers(0, len(data), 2))
    path.write_bytes([data[:a], data[a + 1 :], data[:a] + data[b + 1 :]][int(random.integers(3))])
    return path


@bomb(BOMBS)
def changed_bytes(sound: Path, path: Path, random: Random) -> Path:
    """Some bytes are others, anywhere; this may leave a sound file, whose values are others."""
    data = bytearray(sound.read_bytes())
    for _ in range(int(random.integers(1, 20))):
        data[int(random.integers(len(data)))] ^= int(random.integers(1, 256))
    path.write_bytes(bytes(data))
    return path


@bomb(BOMBS)
def changed_footer(sound: Path, path: Path, random: Random) -> Path:
    """Some bytes of the footer are others, where all sizes and types stand; this may leave a sound file, too."""
    data = bytearray(sound.read_bytes())
    (length,) = struct.unpack("<I", data[-8:-4])
    for _ in range(int(random.integers(1, 4))):
        data[len(data) - 8 - 1 - int(random.integers(length))] = int(random.integers(256))
    path.write_bytes(bytes(data))
    return path


MAY_BE_SOUND = ("changed_bytes", "changed_footer")
