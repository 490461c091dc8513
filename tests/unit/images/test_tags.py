"""What may be given as the name of an image."""

import pytest

from images.build import require_tag, usual_tag
from toolchain.core.errors import UsageFault


@pytest.mark.parametrize(
    "tag",
    ["a", "a:1.0", "team/plugin:V_1.0-x", "localhost:5000/a__b/c-d:latest", "Host.test/a", usual_tag("My__x")],
)
def test_a_reference_is_taken(tag):
    require_tag(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "BAD TAG", "Upper", "a:", "a:b c", "a//b", "a/", "-a", "a:.x", "a@sha256:00", "a" * 256, "ä", "a\n"],
)
def test_what_is_no_reference_is_wrong_usage(tag):
    with pytest.raises(UsageFault, match="cannot name an image"):
        require_tag(tag)
