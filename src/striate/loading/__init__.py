"""From recordings to batches: standardise, rescale, select, shuffle and cycle, so that training never waits for data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from striate.loading.batch import Batch
from striate.loading.selection import select_neurons
from striate.loading.settings import DataSettings
from striate.loading.standardisation import Standardisation

if TYPE_CHECKING:
    from striate.loading.cycling import Cycle as Cycle
    from striate.loading.cycling import cycle as cycle
    from striate.loading.tier_loaders import Loaders as Loaders
    from striate.loading.tier_loaders import SessionLoaders as SessionLoaders
    from striate.loading.tier_loaders import loaders as loaders
    from striate.loading.trials import TrialLoader as TrialLoader

# These import PyTorch, which what only standardises or reads settings need not wait for.
_WITH_TORCH = {
    "Cycle": "cycling",
    "Loaders": "tier_loaders",
    "SessionLoaders": "tier_loaders",
    "TrialLoader": "trials",
    "cycle": "cycling",
    "loaders": "tier_loaders",
}

__all__ = ["Batch", "DataSettings", "Standardisation", "select_neurons", *sorted(_WITH_TORCH)]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        value = getattr(import_module(f"striate.loading.{_WITH_TORCH[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'striate.loading' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
