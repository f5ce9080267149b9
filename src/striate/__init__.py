"""striate: benchmarks that predict visual cortex.

The names below are the public face; each is imported when it is first used, so that ``import striate``
itself stays instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> the room that it lives in
_PUBLIC: dict[str, str] = {
    "Recording": "striate.recordings",
    "Scorecard": "striate.submissions",
    "StriateError": "striate.errors",
    "Submission": "striate.submissions",
    "Truth": "striate.submissions",
    "check": "striate.recordings",
    "convert": "striate.recordings",
    "fetch": "striate.fetch",
    "loaders": "striate.loading",
    "open": "striate.catalog",
    "predict": "striate.training",
    "score": "striate.submissions",
    "simulate": "striate.simulate",
    "train": "striate.training",
    "write": "striate.recordings",
}

# packages that are attributes too; fetch, report and simulate can be called
_ROOMS = (
    "catalog",
    "competition",
    "errors",
    "loading",
    "metrics",
    "models",
    "recordings",
    "report",
    "stimuli",
    "submissions",
    "testing",
    "training",
)

__all__ = ["__version__", *sorted({*_PUBLIC, *_ROOMS})]

if TYPE_CHECKING:
    from striate import catalog as catalog
    from striate import competition as competition
    from striate import errors as errors
    from striate import loading as loading
    from striate import metrics as metrics
    from striate import models as models
    from striate import recordings as recordings
    from striate import report as report
    from striate import stimuli as stimuli
    from striate import submissions as submissions
    from striate import testing as testing
    from striate import training as training
    from striate.catalog import open as open
    from striate.errors import StriateError as StriateError
    from striate.loading import loaders as loaders
    from striate.recordings import Recording as Recording
    from striate.recordings import check as check
    from striate.recordings import convert as convert
    from striate.recordings import write as write
    from striate.submissions import Scorecard as Scorecard
    from striate.submissions import Submission as Submission
    from striate.submissions import Truth as Truth
    from striate.submissions import score as score
    from striate.training import predict as predict
    from striate.training import train as train


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"striate.{name}")
    if name.startswith("__"):
        raise AttributeError(f"module 'striate' has no attribute {name!r}")
    from striate.errors import UnknownAttributeError

    raise UnknownAttributeError("striate", name, __all__)


def __dir__() -> list[str]:
    return sorted(__all__)
