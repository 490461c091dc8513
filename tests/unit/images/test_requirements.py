"""What is refused is refused by rule, all problems together; sources are merged or shown to conflict."""

import pytest

from images.requirements import read_requirements

REFUSED = [
    ("--no-binary :all:", "requirements.no-binary"),
    ("pandas --no-binary :all:", "requirements.option"),
    ("-e ./local", "requirements.editable"),
    ("--editable=./local", "requirements.editable"),
    ("-r other.txt", "requirements.include"),
    ("-c constraints.txt", "requirements.include"),
    ("--index-url https://example.test/simple", "requirements.index"),
    ("--extra-index-url=https://example.test/simple", "requirements.index"),
    ("-i https://example.test/simple", "requirements.index"),
    ("--find-links /tmp", "requirements.index"),
    ("--trusted-host example.test", "requirements.index"),
    ("--pre", "requirements.option"),
    ("pandas==2.2 --hash=sha256:00", "requirements.hash"),
    ("pandas==2.2 \\", "requirements.continuation"),
    ("git+https://example.test/x.git", "requirements.vcs"),
    ("x @ git+ssh://git@example.test/x.git", "requirements.vcs"),
    ("file:///etc/passwd", "requirements.file-url"),
    ("x @ file:///tmp/x.whl", "requirements.file-url"),
    ("https://example.test/x.whl", "requirements.url"),
    ("x @ https://example.test/x.whl", "requirements.url"),
    ("x[extra] @ https://example.test/x.whl", "requirements.url"),
    ("./x", "requirements.path"),
    ("../x", "requirements.path"),
    ("/opt/x", "requirements.path"),
    ("~/x", "requirements.path"),
    ("dist/x.whl", "requirements.path"),
    ("x-1.0.tar.gz", "requirements.path"),
    ("pandas==${VERSION}", "requirements.variable"),
    ("engine", "requirements.private-name"),
    ("Shared>=1", "requirements.private-name"),
    ("mixpeek", "requirements.private-name"),
    ("pandas=>2", "requirements.syntax"),
    ("two words", "requirements.syntax"),
]


@pytest.mark.parametrize(("line", "rule"), REFUSED)
def test_a_line_that_is_no_named_requirement_is_refused_by_rule_with_its_place(tmp_path, line, rule):
    (tmp_path / "requirements.txt").write_text(f"numpy\n{line}\n")
    found = read_requirements(tmp_path)
    assert [(entry.rule, entry.file, entry.line) for entry in found.findings] == [(rule, "requirements.txt", 2)]
    assert found.findings[0].remedy
    assert found.lines == ("numpy",)


@pytest.mark.parametrize(("line", "rule"), REFUSED)
def test_the_manifest_and_pyproject_know_the_same_rules(tmp_path, line, rule):
    quoted = line.replace("\\", "\\\\")
    (tmp_path / "pyproject.toml").write_text(f'[project]\ndependencies = [\n  "{quoted}",\n]\n')
    found = read_requirements(tmp_path, [(line, 7)])
    assert {entry.rule for entry in found.findings} == {rule}
    assert ("manifest.py", 7) in {(entry.file, entry.line) for entry in found.findings}
    assert not found.ok


def test_all_problems_come_together(tmp_path):
    (tmp_path / "requirements.txt").write_text("-e .\n--pre\nengine\n")
    assert len(read_requirements(tmp_path, ["git+https://x.test/y"]).findings) == 4


def test_what_is_allowed_is_normalised(tmp_path):
    (tmp_path / "requirements.txt").write_bytes(
        b"\xef\xbb\xbf# a comment\n\nPandas >= 2.2 # why\n"
        b"uvicorn[standard]>=0.2; python_version > '3.9'\nA_b.C==1\n"
    )
    found = read_requirements(tmp_path)
    assert found.ok
    assert found.lines == ("a-b-c==1", "pandas>=2.2", 'uvicorn[standard]>=0.2; python_version > "3.9"')


def test_equal_duplicates_are_merged_and_a_bare_name_yields_to_versions(tmp_path):
    (tmp_path / "requirements.txt").write_text("pandas>=2.2\nnumpy\n")
    assert read_requirements(tmp_path, ["Pandas>=2.2", "numpy>=1.26"]).lines == ("numpy>=1.26", "pandas>=2.2")
    assert read_requirements(tmp_path, ["pandas"]).lines == ("numpy", "pandas>=2.2")


def test_different_versions_in_two_places_show_both(tmp_path):
    (tmp_path / "requirements.txt").write_text("\nnumpy>=2\n")
    (finding,) = read_requirements(tmp_path, [("numpy<2", 4)]).findings
    assert finding.rule == "requirements.conflict"
    assert (finding.file, finding.line) == ("requirements.txt", 2)
    assert "numpy>=2" in finding.message
    assert "numpy<2" in finding.message
    assert "manifest.py:4" in finding.message


def test_markers_tell_two_requirements_of_one_name_apart(tmp_path):
    lines = ["numpy<2; python_version < '3.11'", "numpy>=2; python_version >= '3.11'"]
    assert len(read_requirements(tmp_path, lines).requirements) == 2
    assert read_requirements(tmp_path, lines).ok


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "UTF-8"), (b"#" * (1 << 20) + b"#", "1 MiB")],
)
def test_a_file_that_cannot_be_read_as_text_is_a_finding(tmp_path, content, words):
    (tmp_path / "requirements.txt").write_bytes(content)
    (finding,) = read_requirements(tmp_path).findings
    assert words in finding.message


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("password\n")
    (tmp_path / "requirements.txt").symlink_to(tmp_path / "secret")
    (finding,) = read_requirements(tmp_path).findings
    assert "password" not in str(finding)
    assert finding.rule == "requirements.file"


@pytest.mark.parametrize(
    "text",
    ["[project\n", "[project]\ndependencies = 'pandas'\n", "[project]\ndependencies = [1]\n", "project = 1\n"],
)
def test_a_broken_pyproject_is_a_finding(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert [entry.rule for entry in read_requirements(tmp_path).findings] == ["requirements.file"]


def test_a_password_is_never_shown(tmp_path):
    (tmp_path / "requirements.txt").write_text("--index-url https://user:hunter2@example.test/simple\n")
    assert "hunter2" not in str(read_requirements(tmp_path).findings)


def test_no_source_at_all_is_no_requirement(tmp_path):
    assert read_requirements(tmp_path) == read_requirements(tmp_path / "absent")
    assert read_requirements(tmp_path).lines == ()
