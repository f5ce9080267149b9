"""Conformance suites that tests of recordings and of components derive from, and Hypothesis strategies that draw recordings.

The suites need pytest, and those of components of models and training PyTorch.
"""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
