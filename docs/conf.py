"""Sphinx settings: Markdown pages, and a reference made of the docstrings."""

import sys
from pathlib import Path

import striate

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "striate"
author = "The striate developers"
copyright = "2026, the striate developers"
release = version = striate.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "docstrings",
    "formulas",
]
myst_enable_extensions = [
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
smartquotes = False  # --out is an option, not a dash
default_role = "py:obj"  # `name` in a docstring is a link where there is such a name

autodoc_typehints = "none"  # the docstrings say types and shapes
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"striate {version}"
html_static_path = ["_static"]
html_css_files = ["striate.css"]
html_math_renderer = "formulas"
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
