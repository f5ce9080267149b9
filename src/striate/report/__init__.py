"""Reports: scores, figures and provenance of models on one self-contained page, to be shown to a colleague."""

from striate.report.build import Material, write_report
from striate.report.compare import (
    Contender,
    Difference,
    by_protocol,
    by_strength,
    ceiling_note,
    ceiling_scores,
    contend,
    differences,
    metric_labels,
    protocol_title,
    score_rows,
    too_few,
)
from striate.report.gather import gather

__all__ = [
    "Contender",
    "Difference",
    "Material",
    "by_protocol",
    "by_strength",
    "ceiling_note",
    "ceiling_scores",
    "contend",
    "differences",
    "gather",
    "metric_labels",
    "protocol_title",
    "score_rows",
    "too_few",
    "write_report",
]
