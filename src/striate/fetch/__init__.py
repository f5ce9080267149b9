"""Download datasets: resume after interruptions, verify checksums, and retry when a host fails."""

import sys
from types import ModuleType

from striate.fetch.data_terms import Acceptance, accept_terms, find_acceptance
from striate.fetch.downloader import Downloader
from striate.fetch.errors import OutageError
from striate.fetch.events import Event, Listener
from striate.fetch.fetch import fetch_dataset
from striate.fetch.options import Options, Outcome
from striate.fetch.plan import Plan, PlannedFile, plan_fetch
from striate.fetch.retry_policy import RetryPolicy
from striate.fetch.verify_dataset import FileStatus, verify

__all__ = [
    "Acceptance",
    "Downloader",
    "Event",
    "FileStatus",
    "Listener",
    "Options",
    "OutageError",
    "Outcome",
    "Plan",
    "PlannedFile",
    "RetryPolicy",
    "accept_terms",
    "fetch",
    "fetch_dataset",
    "find_acceptance",
    "plan_fetch",
    "verify",
]


class _CallableModule(ModuleType):
    """Make the package callable: ``striate.fetch(…)`` calls `fetch_dataset`."""

    __call__ = staticmethod(fetch_dataset)


fetch = sys.modules[__name__]
fetch.__class__ = _CallableModule
