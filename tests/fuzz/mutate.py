"""Mutations of sound files: bytes, numbers and lengths that readers trust, deep nesting, and parts of other files."""

import random

_NUMBERS = (0, 1, 0x7F, 0xFF, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_TOKENS = (
    b"[" * 1000,
    b'{"a":' * 500,
    b"9" * 4301,
    b"-1",
    b"100000000",
    b"1e400",
    b"Infinity",
    b"NaN",
    b"inf",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"1.5",
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"x" * 5000,
    b"../../x",
    b"\xe2\x80\xae",
    b"\r\n",
    b"[[a.b]]\n",
    b"2022-99-99",
    b"*a",
    b"!!int ",
    b"O",
    b"|V0",
)


def mutated(content: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Change a file in one to six ways."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.3:  # headers and directories are at the beginning and the end
            at = min(len(data), rng.choice((rng.randrange(64), len(data) - rng.randrange(64))))
            at = max(0, at)
        kind = rng.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_NUMBERS) % 2 ** (8 * width)
            data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 3:
            del data[at : at + rng.choice((1, 2, 8, 100, len(data)))]
        elif kind == 4:
            data[at:at] = data[at : at + rng.choice((1, 4, 32, 200))] * rng.choice((1, 2, 50))
        elif kind == 5:
            data[at:at] = rng.choice(_TOKENS)
        elif kind == 6:
            _replace_value(data, rng)
        elif kind == 7 and others:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at : at + rng.randrange(64)] = other[start : start + rng.randrange(256)]
        else:
            _replace_number(data, rng)
    return bytes(data[: 2**20])


def _replace_value(data: bytearray, rng: random.Random) -> None:
    """Put a token in the place of a word, a number or a text."""
    starts = [at for at in range(len(data)) if data[at : at + 1] in (b" ", b":", b"=", b",", b"[", b'"')][:20_000]
    if starts:
        at = rng.choice(starts) + 1
        end = at
        while end < len(data) and data[end : end + 1] not in (b",", b"}", b"]", b"\n", b'"'):
            end += 1
        data[at : min(end, at + 200)] = rng.choice(_TOKENS)


def _replace_number(data: bytearray, rng: random.Random) -> None:
    starts = [at for at in range(len(data)) if data[at : at + 1].isdigit()][:20_000]
    if starts:
        at = rng.choice(starts)
        end = at
        while end < len(data) and data[end : end + 1].isdigit():
            end += 1
        data[at:end] = str(rng.choice(_NUMBERS) * rng.choice((1, -1))).encode()
