"""Downloads of datasets that resume, verify what they receive, and survive what hosts do."""

import sys
from types import ModuleType

from striate.fetch.data_terms import Acceptance, accept, acceptance
from striate.fetch.downloader import Fetching
from striate.fetch.errors import OutageError
from striate.fetch.events import Event, Listener
from striate.fetch.fetch import fetch_dataset
from striate.fetch.options import Options, Outcome
from striate.fetch.plan import Entry, Plan, plan
from striate.fetch.retry_policy import Patience
from striate.fetch.verify_dataset import Verdict, verify

__all__ = [
    "Acceptance",
    "Entry",
    "Event",
    "Fetching",
    "Listener",
    "Options",
    "OutageError",
    "Outcome",
    "Patience",
    "Plan",
    "Verdict",
    "accept",
    "acceptance",
    "fetch",
    "fetch_dataset",
    "plan",
    "verify",
]


class _Room(ModuleType):
    """Lets `striate.fetch` be both this room and the function that fetches a dataset."""

    __call__ = staticmethod(fetch_dataset)


fetch = sys.modules[__name__]
fetch.__class__ = _Room
