"""Where the portal's files are kept, if not in its folder: a bucket of a service that speaks S3, as a setting names it."""

import io
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from striate._internal.urls import split_url
from striate.errors import InputError, nearest, quoted

SETTING = "STRIATE_PORTAL_STORAGE"
_ASKED = ("endpoint", "region")
_FORM = "s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION"


@dataclass(frozen=True)
class Bucket:
    """Where a setting says that files are kept.

    Attributes
    ----------
    name
        Of the bucket.
    prefix
        What all names begin with; empty or without a slash at its ends.
    endpoint, region
        Of the service; where none is named, what the AWS tools would take.
    """

    name: str
    prefix: str
    endpoint: str | None
    region: str | None

    @classmethod
    def of(cls, setting: str) -> "Bucket":
        """Read a setting such as ``s3://bucket/prefix?endpoint=https://…&region=…``.

        Raises
        ------
        InputError
            If it is none.
        """
        parts = split_url(setting)
        if parts is None:
            raise InputError(f"STRIATE_PORTAL_STORAGE cannot be read: it is to be {_FORM}.")
        if parts.scheme != "s3":
            raise InputError(
                f"STRIATE_PORTAL_STORAGE is to be {_FORM}, not an address that begins with {_begin(parts.scheme)}."
            )
        if "@" in parts.netloc:
            raise InputError(
                "STRIATE_PORTAL_STORAGE must not hold a key: give it as the AWS tools have it (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."
            )
        if not parts.netloc:
            raise InputError(f"STRIATE_PORTAL_STORAGE names no bucket: it is to be {_FORM}.")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in asked:
            if name not in _ASKED:
                raise InputError(
                    f"STRIATE_PORTAL_STORAGE sets {quoted(name)}, which it cannot: {nearest(name, _ASKED)}."
                )
        endpoint = asked.get("endpoint") or None
        told = split_url(endpoint or "https://host")
        if told is None or told.scheme not in ("http", "https") or not told.hostname:
            raise InputError(
                f"The endpoint of STRIATE_PORTAL_STORAGE is to be an address such as https://HOST: it is to be {_FORM}."
            )
        return cls(parts.netloc, parts.path.strip("/"), endpoint, asked.get("region") or None)

    def folder(self, name: str) -> dict[str, Any]:
        """An entry of Django's STORAGES for the files below a folder."""
        options = {
            "bucket_name": self.name,
            "location": f"{self.prefix}/{name}" if self.prefix else name,
            "endpoint_url": self.endpoint,
            "region_name": self.region,
        }
        return {"BACKEND": "striate.portal.s3.S3", "OPTIONS": options}

    def require(self) -> None:
        """Write, read and delete a small object.

        Raises
        ------
        InputError
            If one of it is not possible.
        """
        from striate.portal.s3 import S3

        storage, name = S3(**self.folder("")["OPTIONS"]), f".access-{secrets.token_hex(8)}"
        try:
            storage.put(io.BytesIO(b"striate"), name, 7)
            with storage.opened(name) as file:
                if file.read() != b"striate":
                    raise OSError("it gives back other bytes than it was given")
            storage.delete(name)
        except OSError as error:
            where = f" at {self.endpoint}" if self.endpoint else ""
            raise InputError(
                f"STRIATE_PORTAL_STORAGE: the bucket {self.name!r}{where} cannot be used ({error}): see that it is there, that this "
                "machine reaches it, and that the key of AWS_ACCESS_KEY_ID may read, write, list and delete in it."
            ) from None


def _begin(scheme: str) -> str:
    return f"{scheme}:" if scheme else "no scheme"
