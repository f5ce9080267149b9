"""Competitions: from full recordings to a fair competition, and from submissions to its winner.

Rules (``competition.toml``), withholding (`build`), the hunt for leaks (`audit`), commitments and receipts that nobody can
change unseen (`commit`, `Receipts`), live scores (`score_live`), and the end (`close`, `verify`).
"""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
