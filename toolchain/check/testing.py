"""The plugin's tests: pytest's real result, held against the source and the control tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, TypeGuard

from toolchain.core.findings import Finding, Severity, error
from toolchain.plugin.tree import PluginTree

_PASSING = {"passed", "skipped", "xfailed", "xpassed"}
_SHOWN = 50

# pytest's exit statuses (pytest.ExitCode): with a planted failure among the tests, 1 is the honest one.
_STATUS_WORDS = {2: "was interrupted", 3: "had an internal error", 4: "was used wrongly", 5: "collected no tests"}


def has_tests(tree: PluginTree) -> bool:
    """Whether there is anything for pytest to run."""
    return any(_is_test_file(file.name) for file in tree.python_files)


def expected_tests(modules: dict[str, ast.Module]) -> dict[str, int]:
    """Ids of the tests that stand at the top of the test files, with their lines, read without running them."""
    found = {}
    for name, module in modules.items():
        if _is_test_file(name):
            found.update({f"{name}::{test}": line for test, line in _tests_in(module)})
    return found


def check_tests(result: dict[str, Any], modules: dict[str, ast.Module]) -> list[Finding]:
    """Findings about the guest's account of a test run."""
    if result.get("available") is not True:
        remedy = "install pytest into that Python, or use --sandbox, which brings its own"
        return [error("tests.no-pytest", "pytest cannot be imported where the tests run", remedy)]
    tests = [test for test in _list(result, "tests") if isinstance(test.get("id"), str)]
    findings = [
        *(_collection(item) for item in _list(result, "collection_errors")[:_SHOWN]),
        *(_failure(test) for test in tests if test.get("outcome") not in _PASSING),
    ]
    deselected = {str(item) for item in result.get("deselected", []) if isinstance(item, str)}
    if not findings:
        findings.extend(_unreported(tests, deselected, modules))
        findings.extend(_controls(result, tests))
    if tests and all(test.get("outcome") == "skipped" for test in tests):
        remedy = "let at least one test run in an environment without network and GPU"
        findings.append(
            error("tests.all-skipped", f"all {len(tests)} tests were skipped: nothing was tested", remedy)
        )
    return findings


def _controls(result: dict[str, Any], tests: list[dict[str, Any]]) -> Iterator[Finding]:
    """The test that must pass and the one that must fail tell whether pytest still judges honestly."""
    controls = result.get("controls")
    controls = controls if isinstance(controls, dict) else {}
    status = result.get("status")
    remedy = "remove what changes pytest's verdicts: hooks in conftest.py, options such as --collect-only, patches"
    if not tests and not controls:
        words = _STATUS_WORDS.get(status if isinstance(status, int) else -1, f"ended with status {status}")
        yield error("tests.none-ran", f"there are test files but pytest {words}", "see the output with --verbose")
        return
    bad_pass = controls.get("must-pass") not in {"passed", "skipped"}
    bad_fail = controls.get("must-fail") not in {"failed", "skipped"}
    if bad_fail or bad_pass:
        kind, name = ("fails", "must-fail") if bad_fail else ("passes", "must-pass")
        got = str(controls.get(name, "not run"))[:40]
        yield error("tests.tampered", f"a planted control test that always {kind} was reported as {got!r}", remedy)
    elif controls.get("must-fail") == "failed" and status != 1:
        message = f"pytest left with status {status} although the planted control test failed"
        yield error("tests.tampered", message, remedy)


def _unreported(
    tests: list[dict[str, Any]], deselected: set[str], modules: dict[str, ast.Module]
) -> Iterator[Finding]:
    """Tests that stand in the source but that pytest did not report."""
    reported = {str(test["id"]).partition("[")[0] for test in tests}
    for test, line in expected_tests(modules).items():
        if test in reported:
            continue
        file = test.partition("::")[0]
        if test in {name.partition("[")[0] for name in deselected}:
            message = f"{test} was deselected by the plugin's own pytest options"
            remedy = "remove the option, or mark the test as skipped with a reason"
            yield Finding(Severity.WARNING, "tests.deselected", message, remedy, file, line)
        else:
            remedy = "remove what keeps it from being collected, or mark it as skipped with a reason"
            yield error("tests.not-run", f"{test} is in the source but did not run", remedy, file=file, line=line)


def _failure(test: dict[str, Any]) -> Finding:
    line = test.get("fault_line") or test.get("line")
    message = str(test.get("message", "")).strip() or "no message"
    return error(
        "tests.failed",
        f"{test['id']} {test.get('outcome')}: {message}",
        "correct the code or the test; --verbose shows the traceback",
        file=str(test["id"]).partition("::")[0],
        line=line if isinstance(line, int) and line > 0 else None,
    )


def _collection(item: dict[str, Any]) -> Finding:
    message = str(item.get("message", "")).strip() or "no message"
    return error(
        "tests.collection",
        f"pytest could not collect {item.get('id')}: {message}",
        "correct the import or the syntax; --verbose shows the traceback",
        file=str(item.get("id", "")) or None,
    )


def _list(result: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = result.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_test_file(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    in_tests = folder == "tests" or folder.startswith("tests/")
    return in_tests and file.endswith(".py") and (file.startswith("test_") or file.endswith("_test.py"))


def _tests_in(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in module.body:
        if _is_test(node):
            yield node.name, node.lineno
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test") and not _has_constructor(node):
            yield from ((f"{node.name}::{child.name}", child.lineno) for child in node.body if _is_test(child))


def _has_constructor(node: ast.ClassDef) -> bool:
    """pytest does not collect a class that has one."""
    return any(getattr(child, "name", "") == "__init__" for child in node.body)


def _is_test(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")
