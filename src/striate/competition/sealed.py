"""Files that only a passphrase opens: scrypt makes a key of it, AES-256-GCM encrypts and authenticates.

A sealed file is one line of JSON (what it is, and the parameters of scrypt), then the encrypted bytes. The line is
authenticated with them, so that nothing in the file can be changed unseen.
"""

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import parse_json_object, read_limited
from striate.errors import InputError

FORMAT = "striate vault 1"
MAGIC = b'{"format": "striate vault'

# scrypt (RFC 7914): 2^17 · 128 · 8 bytes = 128 MiB and some 0.3 s for each try of a passphrase.
COST = 17
_BLOCK, _LANES = 8, 1
COSTS = range(10, 21)  # that are read: a file must not fill the memory
_LONGEST_HEADER = 1000
_LARGEST = 2**31 - 64  # bytes that AES-GCM takes at once


def seal(content: bytes, passphrase: str, path: Path, *, overwrite: bool = False) -> None:
    """Encrypt bytes and write them, readable for this user alone.

    Raises
    ------
    InputError
        If something stands at `path`, or there are too many bytes.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(content) > _LARGEST:
        raise InputError(f"{len(content)} bytes cannot be sealed at once; at most {_LARGEST} can.")
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    header = {
        "format": FORMAT,
        "kdf": "scrypt",
        "cost": COST,
        "salt": base64.b64encode(salt).decode(),
        "cipher": "AES-256-GCM",
        "nonce": base64.b64encode(nonce).decode(),
    }
    line = json.dumps(header).encode() + b"\n"
    sealed = AESGCM(key_of(passphrase, salt, COST)).encrypt(nonce, content, line)
    with atomic_write(path, overwrite=overwrite) as aside:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line)
            file.write(sealed)


def unseal(path: Path, passphrase: str) -> bytes:
    """Decrypt what `seal` wrote.

    Raises
    ------
    InputError
        If there is no such file, it is damaged, or the passphrase is another.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        content = read_limited(path, _LARGEST + 2 * _LONGEST_HEADER)
    except OSError as error:
        raise InputError(f"The vault {path} cannot be read ({error.strerror}).") from error
    line, newline, sealed = content.partition(b"\n")
    try:
        if len(line) > _LONGEST_HEADER:
            raise ValueError("its first line is too long")
        header: dict[str, Any] = parse_json_object(line)
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        cost = int(header["cost"])
        if cost not in COSTS:
            raise ValueError(f"its cost is {cost}")
        salt, nonce = (base64.b64decode(header[name], validate=True) for name in ("salt", "nonce"))
        if len(nonce) != 12:
            raise ValueError("its nonce has another length")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no vault of striate, or it is damaged ({error}).") from None
    try:
        return AESGCM(key_of(passphrase, salt, cost)).decrypt(nonce, sealed, line + newline)
    except InvalidTag:
        raise InputError(
            f"The passphrase does not open {path}, or the file was changed: try another passphrase."
        ) from None


def key_of(passphrase: str, salt: bytes, cost: int) -> bytes:
    """Make the key of a passphrase; slow on purpose."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=2**cost, r=_BLOCK, p=_LANES).derive(passphrase.encode())
