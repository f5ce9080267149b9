"""Names that would be taken for each other have one key."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.competition.name_key import address_key, is_reserved, name_key

NAMES = st.text(st.characters(categories=("L", "N"), exclude_characters="νΝυΥ"), max_size=20)
WORDS = st.text("abcdefghijklmnopqrstuvwxyzäöüéßñçабвгдежзийклмнопрстуфхцчшщыэюяαβγδεζηθικλμξοπρστφχψω", max_size=12)


@given(WORDS)
def test_case_does_not_count(name: str) -> None:
    assert name_key(name.upper()) == name_key(name) == name_key(name.title())


@pytest.mark.slow
@given(NAMES)
def test_the_encoding_does_not_count_and_a_key_is_its_own_key(name: str) -> None:
    key = name_key(name)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert name_key(unicodedata.normalize(form, name)) == key
    assert name_key(key) == key


@given(st.text(st.sampled_from("acdefghkmpqstvwxyz2345678"), max_size=12), st.integers())
def test_plain_names_keep_apart(name: str, other: int) -> None:
    assert name_key(name) == name
    numbered = f"x{name} {abs(other) % 7 + 2}"
    assert name_key(numbered) == numbered


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller Lab", "MÜLLER LAB"),
        ("Müller Lab", "Mu\u0308ller Lab"),
        ("Straße", "STRASSE"),
        ("Нина", "НИНА"),
        ("Ada", "Аdа"),  # Cyrillic
        ("HACA", "НАСА"),  # all Cyrillic
        ("haca", "НАСА"),
        ("Ada Lab", "Ａｄａ　Ｌａｂ"),
        ("Ada", "𝐀𝐝𝐚"),
        ("Ada", "A\u200bd\u200da"),
        ("Ada  Lab", "Ada Lab "),
        ("AI lab", "Al lab"),
        ("Team 1", "Team I"),
        ("Team 0", "Team O"),
        ("volvo", "νolvo"),  # Greek nu
        ("NASA", "ΝASA"),  # Greek Nu
        ("ΑΘΗΝΑ", "αθηνα"),
        ("modern", "modem"),
        ("Istanbul", "İstanbul"),
        ("rnice", "mice"),
    ],
)
def test_twins_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "Muller"),
        ("Team 1", "Team 2"),
        ("Lab v", "Lab n"),
        ("Нина", "Нико"),
        ("Team A", "Team B"),
        ("u", "y"),
    ],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "noise ceiling",
            "Noise Ceiling",
            "NOISE-CEILING",
            "n\u043eise ceiling",
            "oracle",
            "0racle",
            "Oracle predictor",
        ),
        *(
            "admin",
            "Adm1n",
            "ＡＤＭＩＮ",
            "The Organisers",
            "organizer",
            "baseline",
            "deleted-12",
            "deleted 7",
            "Anonymous",
        ),
    ],
)
def test_names_of_rows_and_roles_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["Ada", "Ceiling fans", "Oracle lab", "Admiral", "deleted", "Theorganic", "The Lab"])
def test_other_names_are_not(name: str) -> None:
    assert not is_reserved(name)


def test_addresses_differ_in_case_alone_are_one() -> None:
    assert address_key(" ADA@Example.ORG") == address_key("ada@example.org")
    assert address_key("ÄDA@example.org") == address_key("äda@example.org")
    assert address_key("ada1@example.org") != address_key("adal@example.org")
