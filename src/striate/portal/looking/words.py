"""What the pictures of a recording say, in the reader's language: handed to the browser beside them."""

from django.utils.translation import gettext as _

from striate.recordings.layout import BEHAVIOR, PUPIL_CENTER


def words() -> dict[str, str]:
    """Texts by the names under which the modules of ``static/portal/looking`` know them."""
    return {
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
        "response": _("mean response (standard deviations)"),
        "value": _("response (standard deviations)"),
        "responses": _("responses"),
        "population": _("mean response of all neurons (standard deviations)"),
        "mean": _("mean grey value"),
        "contrast": _("contrast (standard deviation of grey values)"),
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
        BEHAVIOR.components[0]: _("pupil dilation (raw units)"),
        BEHAVIOR.components[1]: _("derivative of pupil dilation (raw units)"),
        BEHAVIOR.components[2]: _("running speed (raw units)"),
        PUPIL_CENTER.components[0]: _("eye position, horizontal (raw units)"),
        PUPIL_CENTER.components[1]: _("eye position, vertical (raw units)"),
    }
