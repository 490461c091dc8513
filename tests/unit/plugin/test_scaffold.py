"""`create_plugin`: whole plugins or nothing, whatever the texts hold."""

import ast
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from toolchain.core.errors import ExitCode, ProcessFailed, UsageFault
from toolchain.plugin import scaffold
from toolchain.plugin.scaffold import CATEGORIES, ScaffoldRequest, create_plugin, default_author

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ESSENTIAL = {
    "__init__.py",
    "manifest.py",
    "pipeline.py",
    "realtime.py",
    "processors/__init__.py",
    "processors/core.py",
    "tests/__init__.py",
    "tests/test_plugin.py",
    "samples.json",
    "pyproject.toml",
    "README.md",
}
HOSTILE = [
    "say \"hi\" and 'hi'",
    r"back\slash \n \u0041 \\",
    'ends in a backslash\\"""',
    "two\nlines\tand a tab",
    "{name} {} %s ${HOME} {{x}}",
    "my_extractor by MyExtractor: __AUTHOR__ and __DESCRIPTION__",
    "émoji 🦉, 漢字, \u202eright to left\u2028separator",
    "# heading <b>bold</b> `code` [link](x) *star* | a & b",
    "1. first",
]


def request(output: Path, **changes: Any) -> ScaffoldRequest:
    values = {
        "name": "face_finder",
        "category": "text",
        "description": "Finds faces",
        "author": "Ada",
        "output": output,
    }
    return ScaffoldRequest(**{**values, **changes})


def metadata_of(root: Path) -> dict[str, Any]:
    """The manifest's metadata, read from its syntax tree as the checks do."""
    for node in ast.parse((root / "manifest.py").read_bytes()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "metadata"
        ):
            return dict(ast.literal_eval(node.value))
    raise AssertionError("no metadata")


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_gives_a_whole_plugin_of_its_own(category: str, tmp_path: Path) -> None:
    result = create_plugin(request(tmp_path, category=category))
    assert result.root == tmp_path / "face_finder"
    written = {path.relative_to(result.root).as_posix() for path in result.root.rglob("*") if path.is_file()}
    assert {str(path) for path in result.files} == written
    assert written >= ESSENTIAL
    assert not any("__pycache__" in path or path.endswith(".pyc") for path in written)
    assert metadata_of(result.root)["category"] == category
    samples = json.loads((result.root / "samples.json").read_text(encoding="utf-8"))
    assert isinstance(samples, list)
    assert all((result.root / row["data"]).is_file() for row in samples if "/" in str(row.get("data", "")))


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_placeholder_is_left_and_everything_parses(category: str, tmp_path: Path) -> None:
    root = create_plugin(request(tmp_path, category=category, name="X" + "y" * 60 + "_9_")).root
    for path in root.rglob("*"):
        if path.suffix in {".py", ".toml", ".md", ".json"}:
            text = path.read_text(encoding="utf-8")
            left = [
                mark
                for mark in ("my_extractor", "MyExtractor", "my-extractor", "__AUTHOR__", "__DESCRIPTION__")
                if mark in text
            ]
            assert not left, path
        if path.suffix == ".py":
            ast.parse(path.read_bytes())
    assert tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"].endswith("-9")


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_arrive_in_python_and_toml_as_they_were_given(text: str, tmp_path: Path) -> None:
    root = create_plugin(request(tmp_path, description=text, author=text)).root
    metadata = metadata_of(root)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (metadata["description"], metadata["author"]) == (text, text)
    assert (project["description"], project["authors"][0]["name"]) == (text, text)
    assert metadata["feature_extractor_name"] == "face_finder"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("- no list", r"\- no list"),
        ("a <script> & `b`", r"a \<script\> \& \`b\`"),
        ("two\nlines", "two lines"),
    ],
)
def test_texts_are_shown_literally_in_the_readme(text: str, shown: str, tmp_path: Path) -> None:
    root = create_plugin(request(tmp_path, description=text)).root
    assert (root / "README.md").read_text(encoding="utf-8").splitlines()[2] == shown


def test_blank_texts_become_the_defaults(tmp_path: Path) -> None:
    metadata = metadata_of(create_plugin(request(tmp_path, description="  ", author="")).root)
    assert metadata["description"] == scaffold.DEFAULT_DESCRIPTION
    assert metadata["author"] == "Unknown"


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ({"name": "face-finder"}, "hyphen", "'face_finder'"),
        ({"name": "../escape"}, "'.'", "'escape'"),
        ({"name": "numpy"}, "library", "'numpy_extractor'"),
        ({"category": "vidoe"}, "vidoe", "did you mean 'video'?"),
        ({"category": "Text"}, "Text", "did you mean 'text'?"),
        ({"category": "qqqq"}, "qqqq", "choose one of text, image"),
        ({"category": "../text"}, "no category", "choose one of"),
        ({"description": "nul\0"}, "'\\x00'", "remove it"),
        ({"author": "half \ud83d"}, "'\\ud83d'", "remove it"),
        ({"description": "d" * 501}, "501", "shorten"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    changes: dict[str, Any], message: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageFault) as caught:
        create_plugin(request(tmp_path / "new" / "folder", **changes))
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert caught.value.exit_code is ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_an_existing_target_is_left_alone(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "face_finder"
    if kind == "directory":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    with pytest.raises(UsageFault) as caught:
        create_plugin(request(tmp_path))
    word = "Directory" if kind == "directory" else "File"
    assert caught.value.message == f"{word} already exists: {target}"
    assert [path.name for path in tmp_path.iterdir()] == ["face_finder"]


@pytest.mark.parametrize("reason", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_failure_half_way_leaves_nothing_behind(
    reason: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_one_then_fail(root: Path, files: dict[PurePosixPath, bytes]) -> None:
        root.mkdir()
        (root / "manifest.py").write_bytes(b"")
        raise reason

    monkeypatch.setattr(scaffold, "_write", write_one_then_fail)
    with pytest.raises(KeyboardInterrupt if isinstance(reason, KeyboardInterrupt) else UsageFault):
        create_plugin(request(tmp_path / "new" / "folder"))
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_appears_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = scaffold._write

    def write_and_lose_the_race(root: Path, files: dict[PurePosixPath, bytes]) -> None:
        write(root, files)
        (tmp_path / "face_finder").mkdir()
        (tmp_path / "face_finder" / "theirs").touch()

    monkeypatch.setattr(scaffold, "_write", write_and_lose_the_race)
    with pytest.raises(UsageFault, match="Directory already exists"):
        create_plugin(request(tmp_path))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == [
        "face_finder",
        "face_finder/theirs",
    ]


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageFault, match="could not be written"):
        create_plugin(request(tmp_path / "file"))


def test_a_missing_output_directory_is_made(tmp_path: Path) -> None:
    assert create_plugin(request(tmp_path / "new" / "folder")).root.is_dir()


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        root = create_plugin(request(tmp_path)).root
    finally:
        os.umask(previous)
    assert root.stat().st_mode & 0o777 == 0o750
    assert (root / "manifest.py").stat().st_mode & 0o777 == 0o640


class Answer:
    def __init__(self, stdout: str) -> None:
        self.stdout = stdout


@pytest.mark.parametrize(
    ("printed", "author"), [("Ada Lovelace\n", "Ada Lovelace"), ("", "Unknown"), ("bell \a", "Unknown")]
)
def test_the_author_comes_from_git(printed: str, author: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold, "run", lambda *_args, **_kwargs: Answer(printed))
    assert default_author() == author


def test_without_git_the_author_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise ProcessFailed("git could not be started", remedy="install git")

    monkeypatch.setattr(scaffold, "run", missing)
    assert metadata_of(create_plugin(request(tmp_path, author=None)).root)["author"] == "Unknown"
