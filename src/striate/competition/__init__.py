"""Competitions: from full recordings to a fair competition, and from submissions to its winner.

Rules (``competition.toml``), withholding (`build`), the hunt for leaks (`audit`), commitments and receipts that nobody can
change unseen (`commit`, `Receipts`), live scores (`score_live`), and the end (`close`, `verify`).
"""

from striate.competition.audit import audit
from striate.competition.build import Built, build, simulated
from striate.competition.close import close
from striate.competition.commitment import Commitment, commit
from striate.competition.leaks import LEAKS
from striate.competition.live import LiveTruth
from striate.competition.ranking import Entrant, Ranked, Row, rank
from striate.competition.receipts import Receipt, Receipts
from striate.competition.results import BoardResult, Results, RowResult
from striate.competition.rules import Rules, parse_rules, read_rules
from striate.competition.scoring import LiveScore, score_live
from striate.competition.submit import Board, board_of, choose, require_allowed, submit
from striate.competition.template import TEMPLATES, template
from striate.competition.vault import Vault
from striate.competition.verify import Check, Verification, verify

__all__ = [
    "LEAKS",
    "TEMPLATES",
    "Board",
    "BoardResult",
    "Built",
    "Check",
    "Commitment",
    "Entrant",
    "LiveScore",
    "LiveTruth",
    "Ranked",
    "Receipt",
    "Receipts",
    "Results",
    "Row",
    "RowResult",
    "Rules",
    "Vault",
    "Verification",
    "audit",
    "board_of",
    "build",
    "choose",
    "close",
    "commit",
    "parse_rules",
    "rank",
    "read_rules",
    "require_allowed",
    "score_live",
    "simulated",
    "submit",
    "template",
    "verify",
]
