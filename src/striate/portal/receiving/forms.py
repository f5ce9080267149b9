"""The form that takes submissions in the browser."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django import forms
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate._internal.text_cleaning import clean_line
from striate.portal.competition import competition, place
from striate.portal.models import Submission, User
from striate.portal.receiving.taking import CSVS, NATIVE, takes_csvs


class _Files(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    widget = _Files

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        one = super().clean
        return [one(each, initial) for each in (data if isinstance(data, list) else [data])]


class Submit(forms.Form):
    """One native file, or the two CSVs of 2022."""

    file = _FilesField(
        label=_("File"),
        help_text=_("A native submission (.parquet); or both CSVs of 2022, with their usual names, at once."),
    )
    board = forms.ChoiceField(
        required=False, label=_("Board (of CSVs only)"), help_text=_("A native file says it itself.")
    )
    note = forms.CharField(
        required=False,
        max_length=300,
        label=_("Note"),
        help_text=_("For you and your team: what is new in it."),
    )
    baseline = forms.ChoiceField(
        required=False, label=_("As a baseline"), help_text=_("For organisers: whose row it is.")
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        made = competition()
        boards = [(slug, str(board)) for slug, board in made.boards.items()]
        self.fields["board"].choices = [("", _("as the file says")), *boards]  # type: ignore[attr-defined]
        if not takes_csvs():
            del self.fields["board"]
            self.fields["file"].help_text = _("A native submission (.parquet).")
        if user.is_staff:
            names = [(each.name, each.name) for each in made.rules.baselines]
            none = [("", _("no: of my team"))] if user.team else []
            self.fields["baseline"].choices = [*none, *names]  # type: ignore[attr-defined]
        else:
            del self.fields["baseline"]

    def clean_file(self) -> dict[str, Path]:
        """Give the files the names that they are taken under."""
        sent: Sequence[UploadedFile] = self.cleaned_data["file"]
        names = [each.name or "" for each in sent]
        if len(sent) == 1 and not names[0].lower().endswith(".csv"):
            return {NATIVE: _path(sent[0])}
        if not takes_csvs():
            raise forms.ValidationError(_("Send one native file (.parquet)."))
        if sorted(names) != sorted(CSVS):
            raise forms.ValidationError(
                _("Send one native file, or both CSVs of 2022 at once, called %(names)s; these came: %(came)s.")
                % {"names": gettext(" and ").join(CSVS), "came": ", ".join(names)[:200]}
            )
        return {name: _path(each) for name, each in zip(names, sent, strict=True)}

    def clean(self) -> dict[str, Any]:
        """CSVs do not say what they are for."""
        cleaned = super().clean() or {}
        files = cleaned.get("file", {})
        if files and NATIVE not in files and not cleaned.get("board"):
            self.add_error("board", _("CSVs do not say what they are for: choose the board."))
        return cleaned

    @contextmanager
    def in_a_folder(self) -> Iterator[dict[str, Path]]:
        """The files under the names that they are taken under, by links in a folder of their own."""
        with tempfile.TemporaryDirectory(dir=place().uploads, prefix="trying-") as folder:
            yield {name: _linked(file, Path(folder) / name) for name, file in self.cleaned_data["file"].items()}

    @property
    def told(self) -> dict[str, str]:
        """Track and protocol of CSVs."""
        if NATIVE in self.cleaned_data["file"]:
            return {}
        board = competition().boards[self.cleaned_data["board"]]
        return {"track": board.track.name, "protocol": board.protocol}

    @property
    def filename(self) -> str:
        """What the sender calls it."""
        sent: Sequence[UploadedFile] = self.files.getlist("file")
        return " and ".join(each.name or "" for each in sent)


class Note(forms.ModelForm):
    """The team's own words about a submission."""

    class Meta:
        model = Submission
        fields = ("note",)

    def clean_note(self) -> str:
        """Nothing that cannot be seen."""
        return clean_line(self.cleaned_data["note"])


def _linked(file: Path, target: Path) -> Path:
    try:
        os.link(file, target)
    except OSError:  # another disk
        shutil.copyfile(file, target)
    return target


def _path(sent: UploadedFile) -> Path:
    assert isinstance(sent, TemporaryUploadedFile)
    return Path(sent.temporary_file_path())
