"""The pages that follow from the code say what the code says today."""

import importlib.util
from types import ModuleType

import pytest
from tests.docs.pages import DOCS


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()


@pytest.mark.parametrize("page", GENERATE.pages())
def test_generated_page_is_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == GENERATE.pages()[page](), "run `make docs`"


def test_every_rule_has_its_class() -> None:
    from striate.recordings import RULES

    assert next(iter(RULES)) in GENERATE.RULE_CLASSES
    assert set(RULES) >= set(GENERATE.RULE_CLASSES)


def test_a_docstring_is_read_key_by_key() -> None:
    from striate.data import DataSettings

    meanings = GENERATE.attributes(DataSettings)
    assert set(meanings) == set(DataSettings.model_fields)
    assert meanings["pupil_center"] == (
        "Whether to include the standardised eye position in each batch (2022: `include_eye_position`)."
    )


def test_every_room_has_its_page_of_the_reference() -> None:
    from tests.test_house import FILES, OUTSIDE, room_of

    rooms = {room_of(file) for file in FILES if file.name == "__init__.py"} - OUTSIDE - {"_internal", "cli"}
    missing = [room for room in sorted(rooms) if not (DOCS / "reference" / f"{room}.md").exists()]
    assert not missing


def test_every_figure_is_shown_small_and_made_by_a_script() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md") if "_build" not in page.parts)
    makers = [*(DOCS / "figures").glob("*.py"), *(DOCS.parent / "benchmarks").rglob("*.py")]
    scripts = "".join(script.read_text(encoding="utf-8") for script in makers)
    figures = sorted((DOCS / "figures").glob("*.png"))
    assert figures
    for figure in figures:
        assert figure.stat().st_size < 200_000, figure
        assert f"figures/{figure.name}" in pages, figure
        if not figure.stem.startswith("zoo-"):  # named after results by figures/zoo.py
            assert figure.stem in scripts, figure
