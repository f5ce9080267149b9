"""The form of a method card."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from striate.portal.entries.card import CardData, MethodCard

_DATA = tuple(CardData.model_fields)
# What the check of a card can find, as pydantic says it and `card` does.
_SENTENCES = {
    "unseen": _("the character %(character)s cannot be seen: take it out"),
    "no_link": _("a link is an address that begins with https://, with no name or password in it"),
    "string_too_short": _("String should have at least %(min_length)s characters"),
    "string_too_long": _("String should have at most %(max_length)s characters"),
    "too_long": _("There are at most %(max_length)s of these, and not %(actual_length)s"),
    "greater_than_equal": _("Input should be greater than or equal to %(ge)s"),
    "less_than_equal": _("Input should be less than or equal to %(le)s"),
    "finite_number": _("Input should be a finite number"),
}


def _sentence(found: Mapping[str, Any]) -> str:
    sentence = _SENTENCES.get(found["type"])
    return str(found["msg"]) if sentence is None else sentence % found.get("ctx", {})


def _text(label: Any, help_text: Any = "", **options: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": options.pop("rows", 4)})
    return forms.CharField(label=label, help_text=help_text, widget=area, required=False, **options)


class CardForm(forms.Form):
    """A method card, checked by `MethodCard` and by nothing else."""

    summary = forms.CharField(
        label=_("Summary"),
        help_text=_("The method in a few sentences. Markdown."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    architecture = _text(_("Architecture"), _("Core, readout, and what else the model has. Markdown."))
    pretraining = _text(_("Pre-training"), _("Data and weights from elsewhere, such as ImageNet."), rows=2)
    recordings = _text(
        _("Other recordings"), _("Which recordings it was trained on besides that of the track."), rows=2
    )
    behaviour = _text(_("Behaviour"), _("How behaviour and eye position were used."), rows=2)
    training = _text(_("Training"), _("Loss, optimiser, schedule, regularisation. Markdown."))
    ensemble = forms.IntegerField(label=_("Models in the ensemble"), required=False)
    parameters = forms.IntegerField(label=_("Parameters of one model"), required=False)
    hardware = forms.CharField(label=_("Hardware"), required=False)
    hours = forms.FloatField(label=_("Hours of training"), required=False)
    people = _text(_("People"), _("One a line. Their names are public."), rows=3)
    code = forms.CharField(label=_("Code"), help_text=_("A link that begins with https://."), required=False)
    weights = forms.CharField(label=_("Weights"), help_text=_("A link that begins with https://."), required=False)

    card: MethodCard

    @classmethod
    def showing(cls, content: dict[str, Any] | None) -> "CardForm":
        """The form with what a card says."""
        if not content:
            return cls()
        return cls(initial={**content, **content["data"], "people": "\n".join(content["people"])})

    def clean(self) -> dict[str, Any]:
        """Let the card check itself."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        tables = {name: value for name, value in cleaned.items() if name not in _DATA and value is not None}
        tables["data"] = {name: cleaned[name] for name in _DATA}
        tables["people"] = tuple(line.strip() for line in cleaned["people"].splitlines() if line.strip())
        try:
            self.card = MethodCard.model_validate(tables)
        except ValidationError as error:
            for each in error.errors():
                field = str(each["loc"][1] if each["loc"][0] == "data" else each["loc"][0])
                self.add_error(field, _sentence(each))
        return cleaned
