"""striate: benchmarks that predict visual cortex.

The public names are imported when they are first used, so that ``import striate`` is instant.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

# The public names stand in __init__.pyi.
_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ or name.startswith("__"):
        return _lazy_getattr(name)
    from striate.errors import UnknownAttributeError

    raise UnknownAttributeError("striate", name, __all__)
