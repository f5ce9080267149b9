"""What the page of a recording says in words and numbers, so that nobody depends on the pictures."""

from typing import Any

from django.utils.translation import gettext as _

from striate.portal.decimals import decimals
from striate.portal.looking.names import said, variable_names

Summary = dict[str, Any]
Rows = list[tuple[float, float | None, int]]
COLOURS = 8  # of tiers, in ``looking.css`` and ``colours.js``; a benchmark of more tiers uses them again


def texts(summary: Summary) -> dict[str, Any]:
    """Variables of the page's template, made of the summary of a recording that could be read."""
    orders = [name.split("-") for name in summary["raster"]["levels"]]
    named = {
        "image": _("by tier and image"),
        "time": _("in the order of time"),
        "file": _("as in the file (their order in time is withheld)"),
        "depth": _("by depth"),
        "reliability": _("by reliability"),
        "response": _("by mean response"),
    }
    variables, benchmark = variable_names(), summary["benchmark"]
    return {
        "trial_orders": [(name, named[name]) for name in dict.fromkeys(trials for trials, _neurons in orders)],
        "neuron_orders": [(name, named[name]) for name in dict.fromkeys(neurons for _trials, neurons in orders)],
        "tiers": [{**tier, "colour": tier["code"] % COLOURS} for tier in summary["tiers"]],
        "channels": [(said(each["name"]), each["colour"]) for each in benchmark["channels"]],
        "withheld": [variables[name] for name in summary["withheld"]],
        "statistics": [
            (variables[each["variable"]], said(each["component"]), said(each["unit"]), each)
            for each in summary["statistics"]
        ],
        "reason": said(summary["reliability"]["reason"]),
        "zeros": f"{decimals(100 * summary['responses']['zeros'], 1)} %",
        "tables": histogram_tables(summary),
    }


def histogram_tables(summary: Summary) -> dict[str, Rows]:
    """Bins of each distribution: from, to (None for no end), how many."""
    tables = {name: _rows(each["edges"], each["counts"]) for name, each in summary["histograms"].items()}
    responses = summary["responses"]
    return tables | {"value": _rows([*responses["edges"], None], responses["counts"])}


def _rows(edges: list[Any], counts: list[int]) -> Rows:
    return list(zip(edges[:-1], edges[1:], counts, strict=True))
