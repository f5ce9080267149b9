"""Models: encoders of one shared core with a readout (and a shifter) for each recording, and their weights on disk."""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
