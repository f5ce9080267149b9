"""Reports: scores, figures and provenance of models on one self-contained page, to be shown to a colleague."""

from striate.report.build import Material, write_report
from striate.report.compare import Contender, Difference, by_strength, contend, differences, metric_labels, score_rows
from striate.report.gather import gather

__all__ = [
    "Contender",
    "Difference",
    "Material",
    "by_strength",
    "contend",
    "differences",
    "gather",
    "metric_labels",
    "score_rows",
    "write_report",
]
