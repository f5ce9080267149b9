"""Recordings: open, check, pack, write, and convert a lab's own arrays."""

import lazy_loader

# The public names are listed in __init__.pyi and imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
