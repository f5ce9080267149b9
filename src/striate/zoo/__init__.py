"""The zoo: every recipe that fits recordings, trained and scored in the same way, in one table; and its low-data curve.

- `measure` trains and scores recipes: `run_zoo`.
- `curve` trains one recipe on few and many images, from scratch and on the core of other recordings: `run_curve`.
- `results` are what both have measured, as JSON and as a table: `ZooResults`; `markdown` and `page` show them.
"""

import lazy_loader

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
