"""Sealed files of any size, written and read in bounded memory: the same key and cipher as `sealed`, a megabyte at a time.

After a line of JSON come pieces of 1 MiB, each encrypted by AES-256-GCM with a nonce that holds its number and whether it is the
last one. So pieces can be neither changed, exchanged, nor left out at the end, without being noticed.
"""

import base64
import io
import json
import secrets
from typing import Any, BinaryIO

from striate._internal.safe_parsing import parse_json_object
from striate.competition import sealed
from striate.errors import InputError

FORMAT = "striate sealed stream 1"
MAGIC = b'{"format": "striate sealed stream'
_PIECE = 2**20  # bytes
_TAG = 16  # bytes that a piece grows by
_LONGEST_HEADER = 1000


class Sealing(io.RawIOBase):
    """Encrypts what is written to it; the file is whole only after `close`.

    Parameters
    ----------
    file
        Where to.
    passphrase
        What will open it.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        super().__init__()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt, self._begin = secrets.token_bytes(16), secrets.token_bytes(7)
        header = {
            "format": FORMAT,
            "kdf": "scrypt",
            "cost": sealed.COST,
            "salt": base64.b64encode(salt).decode(),
            "cipher": "AES-256-GCM",
            "nonce": base64.b64encode(self._begin).decode(),
        }
        self._file, self._line = file, json.dumps(header).encode() + b"\n"
        self._cipher = AESGCM(sealed.key_of(passphrase, salt, sealed.COST))
        self._number, self._waiting = 0, bytearray()
        file.write(self._line)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, content: Any, /) -> int:
        """Encrypt bytes; the last piece is held back until it is known to be the last."""
        self._waiting += content
        while len(self._waiting) > _PIECE:
            self._seal(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]
        return len(content)

    def close(self) -> None:
        """Write the last piece."""
        if not self.closed:
            self._seal(bytes(self._waiting), last=True)
            self._waiting.clear()
        super().close()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._begin, self._number, last), piece, self._line))
        self._number += 1


class Unsealing(io.RawIOBase):
    """Decrypts what `Sealing` wrote.

    Raises
    ------
    InputError
        If the passphrase is another, or the file is damaged or was cut off.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        super().__init__()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._line = file.readline(_LONGEST_HEADER)
        try:
            header = parse_json_object(self._line)
            if header["format"] != FORMAT or header["cost"] not in sealed.COSTS:
                raise ValueError("its header is another")
            salt, self._begin = (base64.b64decode(header[name], validate=True) for name in ("salt", "nonce"))
            if len(self._begin) != 7:
                raise ValueError("its nonce has another length")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"This is no sealed file of striate, or it is damaged ({error}).") from None
        self._file, self._cipher = file, AESGCM(sealed.key_of(passphrase, salt, header["cost"]))
        self._number, self._open, self._over = 0, b"", False
        self._next = file.read(_PIECE + _TAG)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Decrypt into a buffer."""
        while not self._open and not self._over:
            self._open = self._unseal()
        size = min(len(buffer), len(self._open))
        buffer[:size], self._open = self._open[:size], self._open[size:]
        return size

    def _unseal(self) -> bytes:
        from cryptography.exceptions import InvalidTag

        piece, self._next = self._next, self._file.read(_PIECE + _TAG)
        self._over = not self._next
        try:
            opened = self._cipher.decrypt(_nonce(self._begin, self._number, self._over), piece, self._line)
        except InvalidTag:
            why = "The passphrase is another" if self._number == 0 else "It was cut off"
            raise InputError(f"The sealed file cannot be opened: {why}, or the file was changed.") from None
        self._number += 1
        return opened


def _nonce(begin: bytes, number: int, last: bool) -> bytes:
    return begin + number.to_bytes(4, "big") + bytes([last])
