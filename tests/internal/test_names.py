"""Text of a user becomes the name of a file only where every file system takes it, and can be read back."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from striate._internal.file_names import (
    MAX_NAME_BYTES,
    decode_file_name,
    encode_file_name,
    file_name_problem,
    find_name_clash,
)
from striate.benchmarks import load_benchmark
from striate.benchmarks.session_names import is_session, valid_session
from striate.catalog.dataset import DataFile
from striate.competition.tables import plain_name
from striate.errors import InputError

NO_NAMES = ("", " ", ".", "..", "../evil", "a/b", "a\\b", "C:x", "a\n", "\0", "a\u202etxt", "\ud800", "x" * 300)
NO_NAMES += (".hidden", "x.", "x ", " x", "con", "NUL.txt", "lpt1", "com¹", "a?", 'a"b', "a|b", "a*")


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_file_name_is_refused_everywhere(name: str) -> None:
    assert file_name_problem(name)
    assert not is_session(name)
    with pytest.raises(InputError, match="cannot name a session"):
        valid_session(name)
    with pytest.raises(InputError, match="cannot name a track"):
        load_benchmark().track_name(name)
    with pytest.raises(ValueError, match="a name has"):
        plain_name(name)
    if "/" not in name or ".." in name:
        with pytest.raises(ValueError, match="below the dataset's folder"):
            DataFile(name=f"folder/{name}")


@given(st.text(max_size=40))
def test_a_text_is_encoded_as_a_file_name_and_read_back_or_refused(text: str) -> None:
    try:
        encoded = encode_file_name(text, "column")
    except InputError:
        assert not text.strip() or not text.isprintable() or len(text.encode()) > MAX_NAME_BYTES / 3
        return
    assert file_name_problem(encoded) is None
    assert decode_file_name(encoded) == text


@given(st.from_regex(r"[A-Za-z0-9_ ()+=µ,-]{0,20}[A-Za-z0-9_]", fullmatch=True))
def test_ordinary_names_are_unchanged(text: str) -> None:
    assume(file_name_problem(text) is None)
    assert encode_file_name(text, "column") == text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("dF/F", "dF%2FF"),
        ("50 %", "50 %25"),
        ("../up", "%2E.%2Fup"),
        ("con", "%63on"),
        ("a:b", "a%3Ab"),
        ("x.", "x%2E"),
    ],
)
def test_special_characters_are_encoded(text: str, encoded: str) -> None:
    assert encode_file_name(text, "column") == encoded


def test_names_that_are_one_file_somewhere() -> None:
    assert find_name_clash(["a", "b", "A"]) == (0, 2)
    assert find_name_clash(["Caf\u00e9", "Cafe\u0301"]) == (0, 1)
    assert find_name_clash(["a", "b"]) is None
