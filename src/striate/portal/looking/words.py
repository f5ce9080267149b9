"""What the pictures of a recording say, in the reader's language: handed to the browser beside them."""

from typing import Any

from django.utils.translation import gettext as _

from striate.portal.looking.names import component_name


def words(summary: dict[str, Any]) -> dict[str, str]:
    """Texts by the names under which the modules of ``static/portal/looking`` know them.

    Parameters
    ----------
    summary
        That of the recording.
    """
    benchmark = summary["benchmark"]
    grey, standardised = benchmark["grey"], benchmark["standardised"]
    components = {
        f"{variable}.{name}": _("%(variable)s (raw units)") % {"variable": component_name(variable, name)}
        for variable, names in benchmark["variables"].items()
        for name in names
    }
    return components | {
        "trial": _("trial"),
        "trials": _("trials"),
        "neuron": _("neuron"),
        "neurons": _("neurons"),
        "unit": _("unit"),
        "image": _("image"),
        "images": _("images"),
        "tier": _("tier"),
        "depth": _("depth z (µm)"),
        "reliability": _("reliability (jackknife oracle)"),
        "halves": _("split-half reliability"),
        "response": _("mean response (standard deviations)") if standardised else _("mean response (raw units)"),
        "value": _("response (standard deviations)") if standardised else _("response (raw units)"),
        "responses": _("responses"),
        "population": _("mean response of all neurons (standard deviations)")
        if standardised
        else _("mean response of all neurons (raw units)"),
        "mean": _("mean grey value") if grey else _("mean pixel value"),
        "contrast": _("contrast (standard deviation of grey values)")
        if grey
        else _("contrast (standard deviation of pixel values)"),
        "channel": _("channel"),
        "withheld": _("withheld"),
        "undefined": _("not defined"),
        "mean_of": _("mean of"),
        "cells": _("neurons × trials"),
        "at_least": _("at least"),
        "failed": _("The pictures could not be loaded: try again."),
        "shown_times": _("shown in trials"),
        "sheet": _("images %(from)s to %(to)s of %(of)s"),
        "window": _("trials %(from)s to %(to)s of %(of)s"),
        "in_order_of_image": _("trials, by tier and image"),
        "in_order_of_time": _("trials, in the order of time"),
        "in_order_of_file": _("trials, as they stand in the file (their order in time is withheld)"),
        "by_depth": _("neurons, from the surface downwards"),
        "by_reliability": _("neurons, from the most reliable"),
        "by_response": _("neurons, from the largest mean response"),
    }
