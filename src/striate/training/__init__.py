"""Training: recipes, the loop, runs that survive being killed, and predictions of what they have learnt."""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
