"""Names of variables and of their components in the reader's language, as far as they are known."""

from django.utils.translation import gettext as _


def variable_names() -> dict[str, str]:
    """Names of the variables of a recording."""
    return {
        "images": _("images"),
        "responses": _("responses"),
        "behavior": _("behaviour"),
        "pupil_center": _("eye position"),
    }


def component_name(variable: str, component: str) -> str:
    """Name of a behaviour variable, or of a component of the eye position, for a picture; as the benchmark has it if it is not known."""
    name = said(component)
    return f"{variable_names()[variable]}, {name}" if variable == "pupil_center" else name


def said(text: str) -> str:
    """Translate what is written down in English when a recording is prepared; other text stays as it is."""
    known = {
        "grey value": _("grey value"),
        "pixel value": _("pixel value"),
        "raw units": _("raw units"),
        "pupil dilation": _("pupil dilation"),
        "derivative of pupil dilation": _("derivative of pupil dilation"),
        "running speed": _("running speed"),
        "horizontal": _("horizontal"),
        "vertical": _("vertical"),
        "red": _("red"),
        "green": _("green"),
        "blue": _("blue"),
        "no image was shown more than once with public responses": _(
            "no image was shown more than once with public responses"
        ),
    }
    return known.get(text, text)
