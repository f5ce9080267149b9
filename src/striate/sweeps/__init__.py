"""Sweeps: many trainings from one recipe, compared on validation trials.

A sweep trains a recipe with other settings and several seeds, in processes of their own, and writes one table of scores. It resumes
after an interruption, and never trains a finished run again.

- `sweep` does all of it.
- `space` says what varies: the values of a grid, or ranges to draw from; `plan` validates all of it before any work.
- `jobs` runs trainings in parallel processes: `Job`, `run_jobs`.
- `scores` scores a finished run, and keeps the resamples that paired differences need: `score_run`, `RunScores`.
- `comparison` ranks trials within a protocol; `page` writes the page.
"""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
