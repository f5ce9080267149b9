"""Reports: scores, figures and provenance of models on one self-contained page, to be shown to a colleague."""

from striate.report.build import Material, write_report
from striate.report.compare import Contender, Difference, contend, differences, metric_labels, score_rows

__all__ = [
    "Contender",
    "Difference",
    "Material",
    "contend",
    "differences",
    "metric_labels",
    "score_rows",
    "write_report",
]
