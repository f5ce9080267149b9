"""Storages on a service that speaks S3: django-storages, with reads of ranges, and errors that say that the service is at fault."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boto3.s3.transfer import S3UploadFailedError, TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from striate.portal.unavailable import StorageUnavailableError

_CONNECT, _ANSWER = 3, 15  # seconds until a service that is not there, or says nothing, counts as dead
_TRIES = 3
_PART = 16 * 2**20  # bytes of a file that are sent in one request
_AT_ONCE = 4  # such parts of one file
_CONNECTIONS = 32


class S3(S3Storage):  # type: ignore[misc]
    """A storage on S3: what is written replaces what has the name, whole or not at all; every call ends within a bounded time."""

    # A client may be used by all threads, and each costs memory and a third of a second to make.
    _clients: dict[tuple[str | None, str | None], Any] = {}
    _making = threading.Lock()

    def get_default_settings(self) -> dict[str, Any]:
        """Set what differs from the defaults of django-storages."""
        client = Config(
            connect_timeout=_CONNECT,
            read_timeout=_ANSWER,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_CONNECTIONS,
            # The service holds what arrives against the SHA-256 that the request is signed with; other checksums not all of them know.
            s3={"payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        parts = TransferConfig(multipart_threshold=4 * _PART, multipart_chunksize=_PART, max_concurrency=_AT_ONCE)
        changed = {"client_config": client, "transfer_config": parts, "file_overwrite": True, "gzip": False}
        return {**super().get_default_settings(), **changed}

    @property
    def connection(self) -> Any:
        """The connection to the service, made once a process."""
        key = (self.endpoint_url, self.region_name)
        with self._making:
            if key not in self._clients:
                # Without keys in Django's settings, boto3 finds them where the AWS tools have them.
                self._clients[key] = super().connection
        return self._clients[key]

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def put(self, content: io.IOBase | Any, name: str, size: int) -> None:
        """Keep what a file holds from where it stands; nothing has the name until all of it is there."""
        with answering(name):
            self._client.upload_fileobj(
                content,
                self.bucket_name,
                self._key(name),
                ExtraArgs={"ContentType": self.default_content_type},
                Config=self.transfer_config,
            )
        if (kept := self.size(name)) != size:
            raise StorageUnavailableError(f"it kept {kept} of {size} bytes")

    def copy(self, source: str, target: str) -> None:
        """Give an object a second name; its bytes do not leave the service."""
        with answering(source):
            self._client.copy(
                {"Bucket": self.bucket_name, "Key": self._key(source)},
                self.bucket_name,
                self._key(target),
                Config=self.transfer_config,
            )

    def opened(self, name: str, start: int = 0) -> "Ranged":
        """Open an object to be read from byte `start` on."""
        return Ranged(self._client, self.bucket_name, self._key(name), start)

    def below(self, folder: str) -> Iterator[tuple[str, Any]]:
        """Names of everything below a folder, and when each was written."""
        prefix = f"{self._key(folder)}/" if folder else f"{self.location}/"
        with answering(folder):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(prefix)
                    yield (f"{folder}/{name}" if folder else name), entry["LastModified"]

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        with answering(name):
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files below a folder; none where there is no such folder."""
        with answering(path):
            folders, files = super().listdir(path)
        return folders, files

    def delete(self, name: str) -> None:
        """Remove an object, if there is one."""
        with answering(name):
            super().delete(name)

    def size(self, name: str) -> int:
        """Bytes of an object."""
        with answering(name):
            return int(self._client.head_object(Bucket=self.bucket_name, Key=self._key(name))["ContentLength"])

    def _key(self, name: str) -> str:
        return str(self._normalize_name(clean_name(name)))


class Ranged(io.RawIOBase):
    """An object, read as it arrives and from any byte on; a connection that breaks off is made anew where it was.

    Parameters
    ----------
    client
        Of boto3.
    bucket, key
        Which object.
    start
        The first byte that is read.

    Raises
    ------
    FileNotFoundError
        If there is none of that name.
    StorageUnavailableError
        If the service does not answer.
    """

    def __init__(self, client: Any, bucket: str, key: str, start: int = 0) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._at, self._arrives_at = start, start
        self._size, self._tag, self._body = 0, "", None
        self._ask()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any byte on."""
        return True

    def tell(self) -> int:
        """The next byte that is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on at another byte; nothing is asked for until it is read."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what fits."""
        if self._at >= self._size:
            return 0
        if self._arrives_at != self._at:
            self._drop()
        view = memoryview(buffer).cast("B")
        for attempt in range(_TRIES):
            try:
                if self._body is None:
                    self._ask()
                assert self._body is not None
                some = self._body.read(len(view))
                if some:
                    break
            except (HTTPError, BotoCoreError) as error:
                if attempt == _TRIES - 1:
                    raise StorageUnavailableError(
                        f"the storage breaks off at byte {self._at} of {self._size}: {type(error).__name__}"
                    ) from None
            self._drop()
        else:
            raise StorageUnavailableError(f"the storage breaks off at byte {self._at} of {self._size}")
        view[: len(some)] = some
        self._at = self._arrives_at = self._at + len(some)
        return len(some)

    def close(self) -> None:
        """Let the connection go."""
        self._drop()
        super().close()

    def _ask(self) -> None:
        same = (
            {"IfMatch": self._tag} if self._tag else {}
        )  # what was replaced meanwhile is not mixed with what it replaced
        with answering(self._key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=f"bytes={self._at}-", **same)
            except ClientError as error:
                if _status(error) != 416:
                    raise
                # no byte stands there: the end of the object, or one that is empty
                self._size = int(self._client.head_object(Bucket=self._bucket, Key=self._key)["ContentLength"])
                return
        _, _, total = answer.get("ContentRange", "").partition("/")
        self._size = int(total) if total else int(answer["ContentLength"])
        self._tag, self._body, self._arrives_at = answer["ETag"], answer["Body"], self._at

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Say of every error of the service what it means; what it tells of keys and signatures is not passed on."""
    try:
        yield
    except ClientError as error:
        if _status(error) == 404 and error.response.get("Error", {}).get("Code") != "NoSuchBucket":
            raise FileNotFoundError(f"there is no {name}") from None
        code = str(error.response.get("Error", {}).get("Code", "")) or "an error"
        raise StorageUnavailableError(f"the storage answers {_status(error)} {code[:60]}") from None
    except S3UploadFailedError:
        raise StorageUnavailableError("the storage does not take the file") from None
    except (BotoCoreError, HTTPError) as error:
        raise StorageUnavailableError(f"the storage does not answer: {type(error).__name__}") from None


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
