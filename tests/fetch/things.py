"""Files, datasets and options for the tests of fetching."""

import hashlib
import io
import random
import zipfile
from pathlib import Path
from typing import Any

from striate.catalog import Dataset
from striate.catalog.local_files import DatasetFolder
from striate.fetch import Downloader, Event, Options, Outcome, RetryPolicy
from tests.fixtures.hosts import Host

QUICK = RetryPolicy(
    initial_wait=0.005,
    max_wait=0.05,
    max_attempts=6,
    connect_timeout=2.0,
    stall_timeout=0.25,
    max_retry_after=0.05,
    max_poll_wait=0.05,
)


def zipped(seed: int = 0, size: int = 60_000) -> bytes:
    """A small zip of noise."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("noise.bin"), random.Random(seed).randbytes(size))
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def described(host: Host | str, files: dict[str, bytes], **changes: Any) -> Dataset:
    """A dataset of files, as its owners would describe it; `changes` go into every file."""
    address = host if isinstance(host, str) else host.address
    return Dataset.model_validate(
        {
            "name": "ours",
            "title": "Ours",
            "addresses": (address,),
            "licence": {"name": "CC BY 4.0", "terms": "Name us."},
            "files": tuple(
                {"name": name.lstrip("/"), "sha256": sha256(content), "size": len(content)} | changes
                for name, content in files.items()
            ),
        }
    )


def bring(
    of: Dataset, to: Path, *, events: list[Event] | None = None, retry_policy: RetryPolicy = QUICK, **options: Any
) -> Outcome:
    """Fetch all files of a dataset."""
    listener = (lambda _event: None) if events is None else events.append
    return Downloader(of, DatasetFolder(to), Options(retry_policy=retry_policy, **options), listener).run(of.files)


def only(outcome: Outcome) -> Path:
    """The one file of an outcome, which has not failed."""
    outcome.raise_failures()
    (path,) = outcome.paths.values()
    return path


def left_behind(to: Path) -> list[str]:
    """What stands in a folder, besides whole files, their records and locks."""
    workshop = to / ".striate"
    return sorted(p.name for p in workshop.rglob("*") if p.is_file() and not p.name.endswith((".zip.json", ".lock")))
