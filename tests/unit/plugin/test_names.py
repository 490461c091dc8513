"""Names and versions: what the platform and Python accept."""

import pytest

from toolchain.plugin.names import (
    NAME_PATTERN,
    VERSION_PATTERN,
    normalize_version,
    suggest_name,
    validate_name,
)


@pytest.mark.parametrize(
    "name", ["abcd", "my_extractor", "Faces2", "a" * 64, "trailing_", "a__b", "none", "matching"]
)
def test_a_name_of_the_api_pattern_is_accepted(name: str) -> None:
    assert validate_name(name) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("ab", "3 to 64"),
        ("a" * 65, "3 to 64"),
        ("2faces", "start with a letter"),
        ("_faces", "start with a letter"),
        ("face-detector", "hyphen"),
        ("face detector", "' '"),
        ("façade", "'ç'"),
        ("faces\n", r"'\\n'"),
        ("../faces", "'.'"),
        ("class", "keyword"),
        ("None", "keyword"),
        ("json", "standard library"),
        ("JSON", "standard library"),
        ("test", "standard library"),
        ("tomllib", "standard library"),
        ("distutils", "standard library"),
        ("engine", "platform"),
        ("Processors", "platform"),
        ("numpy", "library that plugins import"),
    ],
)
def test_another_name_is_refused_with_its_reason(name: str, reason: str) -> None:
    (problem,) = validate_name(name)
    assert reason.replace("\\\\", "\\") in problem.message
    assert problem.remedy


def test_a_hyphenated_name_is_answered_with_the_underscored_one() -> None:
    (problem,) = validate_name("face-detector")
    assert problem.remedy == "use 'face_detector'"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("face-detector", "face_detector"),
        ("My Plugin!", "my_plugin"),
        ("numpy", "numpy_extractor"),
        ("ab", "ab_extractor"),
        ("3d", "extractor_3d"),
        ("a" * 65, None),
        ("—", None),
        ("", None),
    ],
)
def test_a_suggestion_is_usable(name: str, suggestion: str | None) -> None:
    assert suggest_name(name) == suggestion
    assert suggestion is None or validate_name(suggestion) == []


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("v1", "1.0.0"),
        ("1.0", "1.0.0"),
        ("v2.1", "2.1.0"),
        ("V3.0.4", "3.0.4"),
        ("01.2", "1.2.0"),
        ("", None),
        ("v", None),
        ("1.2.3.4", None),
        ("1.2.3-rc1", None),
        ("1..2", None),
        (" 1.0.0", None),
        ("1.0.0\n", None),
        ("\u0661.\u0662.\u0663", None),
    ],
)
def test_versions_are_brought_to_three_parts(written: str, version: str | None) -> None:
    assert normalize_version(written) == version
    assert version is None or VERSION_PATTERN.fullmatch(version)


def test_the_strict_version_pattern_takes_only_three_parts() -> None:
    assert VERSION_PATTERN.fullmatch("10.0.3")
    assert not any(VERSION_PATTERN.fullmatch(text) for text in ("v1.0.0", "1.0", "01.0.0", "1.0.0\n"))
    assert not NAME_PATTERN.fullmatch("abc\n")


def test_what_is_allowed_is_said_whole():
    (problem,) = validate_name("My Plugin")
    assert "a to z and A to Z" in problem.message
    assert problem.remedy == "use 'my_plugin'"
    assert "1 character long" in validate_name("a")[0].message
