"""A method card: what a team tells about a submission. Written as TOML or in the browser, checked the same way."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from striate._internal.config_validation import validate_settings
from striate._internal.safe_parsing import parse_toml, read_limited
from striate._internal.text_cleaning import is_invisible
from striate._internal.urls import validate_web_address
from striate.errors import InputError

_LARGEST_FILE = 2**17  # bytes


def _seen(text: str) -> str:
    if found := next((c for c in text if is_invisible(c) and c not in "\n\r\t"), None):
        raise PydanticCustomError(
            "unseen", "the character {character} cannot be seen: take it out", {"character": f"U+{ord(found):04X}"}
        )
    return text.strip()


def _https(address: str) -> str:
    address = _seen(address)
    if not address:
        return ""
    try:
        return validate_web_address(address, ("https",))
    except ValueError:
        raise PydanticCustomError(
            "no_link", "a link is an address that begins with https://, with no name or password in it"
        ) from None


Text = Annotated[str, Field(max_length=5000), AfterValidator(_seen)]
Line = Annotated[str, Field(max_length=200), AfterValidator(_seen)]
Link = Annotated[str, Field(max_length=500), AfterValidator(_https)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_seen)]


class CardData(BaseModel):
    """What the model was trained on.

    Attributes
    ----------
    pretraining
        Data and weights from elsewhere, such as ImageNet.
    recordings
        Which recordings besides that of the track.
    behaviour
        How behaviour and eye position were used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pretraining: Text = ""
    recordings: Text = ""
    behaviour: Text = ""


class MethodCard(BaseModel):
    """What a team tells about a submission. Texts may be Markdown; everything but the summary may be left out.

    Attributes
    ----------
    summary
        The method in a few sentences.
    architecture
        Core, readout and what else the model has.
    data
        What it was trained on.
    training
        Loss, optimiser, schedule, regularisation.
    ensemble
        How many models were averaged.
    parameters
        Of one model.
    hardware, hours
        What it was trained on, and for how long.
    people
        Who did it.
    code, weights
        Links that begin with https://.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    summary: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_seen)]
    architecture: Text = ""
    data: CardData = CardData()
    training: Text = ""
    ensemble: int | None = Field(default=None, ge=1, le=100_000)
    parameters: int | None = Field(default=None, ge=0, le=10**15)
    hardware: Line = ""
    hours: float | None = Field(default=None, ge=0, le=10**7)
    people: tuple[Name, ...] = Field(default=(), max_length=50)
    code: Link = ""
    weights: Link = ""


def read_card(path: Path) -> MethodCard:
    """Read a card from a TOML file.

    Raises
    ------
    InputError
        If it cannot be read, is no TOML, or a key is unknown or of the wrong kind.
    """
    try:
        tables = parse_toml(read_limited(path, _LARGEST_FILE), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a method card, a file in TOML.") from error
    return validate_settings(MethodCard, tables, str(path), kind="method card")
