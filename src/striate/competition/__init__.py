"""Competitions: from full recordings to a fair competition, and from submissions to its winner.

Rules (``competition.toml``), withholding (`build`), the hunt for leaks (`audit`), commitments and receipts that nobody can
change unseen (`commit`, `Receipts`), live scores (`score_live`), and the end (`close`, `verify`).
"""

from striate.competition.audit import audit
from striate.competition.build import Built, build, simulated
from striate.competition.leaks import LEAKS
from striate.competition.live import LiveTruth
from striate.competition.rules import Rules, parse_rules, read_rules
from striate.competition.template import TEMPLATES, template
from striate.competition.vault import Vault

__all__ = [
    "LEAKS",
    "TEMPLATES",
    "Built",
    "LiveTruth",
    "Rules",
    "Vault",
    "audit",
    "build",
    "parse_rules",
    "read_rules",
    "simulated",
    "template",
]
