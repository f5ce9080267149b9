"""Files that were made to harm: ``python -m tests.portal.bombs --files 2000 --seed 0`` hands them to the portal's decoder.

Each kind is a function that writes one file (or a folder of CSVs) from a sound submission and a generator of random numbers. The
campaign counts what became of them; none may be accepted, none may be the platform's failure, and no child may pass its limits.
"""

from tests.portal.bombs import claims, csvs, damage, disguises, wrong  # noqa: F401  (they make the kinds known)
from tests.portal.bombs.damage import MAY_BE_SOUND
from tests.portal.bombs.making import BOMBS, CSV_BOMBS, Bomb

__all__ = ["BOMBS", "CSV_BOMBS", "MAY_BE_SOUND", "Bomb"]
