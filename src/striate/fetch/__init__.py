"""Downloads of datasets that resume, verify what they receive, and survive what hosts do."""

import sys
from types import ModuleType

from striate.fetch.dataset import fetch_dataset
from striate.fetch.events import Event, Listener
from striate.fetch.failures import OutageError
from striate.fetch.fetching import Fetching
from striate.fetch.options import Options, Outcome
from striate.fetch.patience import Patience
from striate.fetch.plan import Entry, Plan, plan
from striate.fetch.terms import Acceptance, accept, acceptance
from striate.fetch.verify import Verdict, verify

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
