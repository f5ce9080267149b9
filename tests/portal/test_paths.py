"""A version of the data holds no file that the portal adds to a download itself, and no two names that are one on some disk."""

import pytest

from striate.errors import InputError
from tests.portal.world import World


@pytest.mark.parametrize("path", ["SHA256SUMS", "sha256sums", "SHA256SUMS/x.npy"])
def test_a_file_with_the_name_of_the_sums_is_refused(world: World, path: str) -> None:
    from striate.portal.hosting.snapshots import NewFile, require_sound

    with pytest.raises(InputError, match="adds to every download"):
        require_sound([NewFile(path, 1, "0" * 64)])
    require_sound([NewFile(f"below/{path}", 1, "0" * 64)])


def test_twins_in_case_or_unicode_form_are_refused(world: World) -> None:
    from striate.portal.hosting.snapshots import NewFile, require_sound

    for one, other in (("a.npy", "A.npy"), ("\u00e9.npy", "e\u0301.npy")):
        with pytest.raises(InputError, match="case does not count"):
            require_sound([NewFile(one, 1, "0" * 64), NewFile(other, 1, "1" * 64)])
