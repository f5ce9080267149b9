"""``python -m striate`` is the program ``striate``."""

from striate.cli import main

main()
