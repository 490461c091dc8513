"""The plugin's tests: pytest's real result, held against the source and the control tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, TypeGuard

from toolchain.check.module import Module
from toolchain.check.untrusted import entries, fields, line_number, message, one_line, texts
from toolchain.core.findings import Finding, error
from toolchain.plugin.tree import PluginTree

_FINE = ("passed", "skipped", "xfailed", "xpassed")
_FAILED = ("failed", "setup failed", "teardown failed", "unfinished")
_SHOWN = 50
_UNTOUCHED = "remove what changes pytest's verdicts: hooks in conftest.py, options such as --collect-only, patches"

# pytest's exit statuses (pytest.ExitCode): with a planted failure among the tests, 1 is the honest one.
_STATUS_WORDS = {
    0: "ran none of them",
    2: "was interrupted",
    3: "had an internal error",
    4: "was used wrongly",
    5: "collected no tests",
}

# These run a test in pytest's place, so that nothing of ours sees what really happened.
_REPLACING_HOOKS = frozenset({"pytest_runtest_protocol", "pytest_runtestloop", "pytest_pyfunc_call"})


def has_tests(tree: PluginTree) -> bool:
    """Whether there is anything for pytest to run."""
    return any(_is_test_file(file.name) for file in tree.python_files)


def expected_tests(modules: dict[str, Module]) -> dict[str, int]:
    """Ids of the tests that stand at the top of the test files, with their lines, read without running them."""
    found = {}
    for name, module in modules.items():
        if _is_test_file(name):
            found.update({f"{name}::{test}": line for test, line in _tests_in(module.tree)})
    return found


def check_test_files(modules: dict[str, Module]) -> list[Finding]:
    """Findings about hooks that would run the plugin's tests in pytest's place."""
    remedy = "remove it: call the code in the test itself (asyncio.run for a coroutine), or use fixtures"
    return [
        error("tests.hook", f"{node.name} runs tests in pytest's place", remedy, file=name, line=node.lineno)
        for name, module in modules.items()
        for node in module.nodes(ast.FunctionDef)
        if node.name in _REPLACING_HOOKS
    ]


def check_tests(result: dict[str, Any], modules: dict[str, Module]) -> list[Finding]:
    """Findings about the guest's account of a test run."""
    if result.get("available") is not True:
        remedy = "install pytest into that Python, or use --sandbox, which brings its own"
        return [error("tests.no-pytest", "pytest cannot be imported where the tests run", remedy)]
    tests = [{**test, "id": name} for test in entries(result.get("tests")) if (name := one_line(test.get("id")))]
    findings = [
        *(_collection(item) for item in entries(result.get("collection_errors"))[:_SHOWN]),
        *(_failure(test) for test in tests if test.get("outcome") not in _FINE),
    ]
    total = result.get("total")
    if total != len(tests):
        said = f"{str(total)[:40]!r} tests ran, of which {len(tests)} could be reported"
        findings.append(error("tests.too-many", said, "use fewer parameters: 10,000 tests can be reported"))
    if not findings:
        findings.extend(_unreported(result, tests, modules))
        findings.extend(_controls(result, tests))
    if tests and all(test.get("outcome") in ("skipped", "xfailed") for test in tests):
        remedy = "let at least one test pass in an environment without network and GPU"
        said = f"all {len(tests)} tests were skipped or expected to fail: nothing was tested"
        findings.append(error("tests.all-skipped", said, remedy))
    return findings


def _controls(result: dict[str, Any], tests: list[dict[str, Any]]) -> Iterator[Finding]:
    """The test that must pass and the one that must fail tell whether pytest still judges honestly."""
    controls = fields(result.get("controls"))
    status = result.get("status")
    if not tests and not controls:
        words = _STATUS_WORDS.get(status, "") if isinstance(status, int) else ""
        said = f"there are test files but pytest {words or f'ended with status {str(status)[:40]}'}"
        yield error("tests.none-ran", said, "see the output with --verbose")
        return
    for kind, verb, honest in (("must-fail", "fails", "failed"), ("must-pass", "passes", "passed")):
        got = one_line(controls.get(kind), 80) or "not run"
        if got not in (honest, "skipped"):
            said = f"a planted control test that always {verb} was reported as {got!r}"
            yield error("tests.tampered", said, _UNTOUCHED)
            return
    if controls["must-fail"] == "failed" and status != 1:
        said = f"pytest left with status {str(status)[:40]!r} although the planted control test failed"
        yield error("tests.tampered", said, _UNTOUCHED)
    if replaced := texts(result.get("replaced")):
        named = one_line(", ".join(replaced[:5]))
        yield error("tests.tampered", f"functions of pytest itself were replaced: {named}", _UNTOUCHED)


def _unreported(
    result: dict[str, Any], tests: list[dict[str, Any]], modules: dict[str, Module]
) -> Iterator[Finding]:
    """Tests that stand in the source, or that pytest found, and that did not run."""
    functions = {_function(test["id"]) for test in tests}
    deselected = [one_line(name) for name in texts(result.get("deselected"))]
    expected = expected_tests(modules)
    for test in deselected[:_SHOWN]:
        said = f"{test} was deselected by the plugin's own pytest options"
        remedy = "remove the option, or mark the test as skipped with a reason"
        yield _about(test, "tests.deselected", said, remedy, expected)
    lost = [test for test in expected if test not in functions]
    found = [one_line(name) for name in texts(result.get("unreported"))]
    lost += [name for name in found if _function(name) not in lost]
    left_out = {*deselected, *map(_function, deselected)}
    for test in lost[:_SHOWN]:
        if test not in left_out:
            remedy = "remove what keeps it from being collected and run, or mark it as skipped with a reason"
            yield _about(test, "tests.not-run", f"{test} is in the source but did not run", remedy, expected)


def _failure(test: dict[str, Any]) -> Finding:
    outcome = one_line(test.get("outcome"), 100) or "had no outcome"
    said = f"{test['id']} {outcome}: {message(test.get('message'))}"
    file, line = _file(test["id"]), line_number(test.get("line"))
    if fault := one_line(test.get("fault_file")):
        file, line = fault, line_number(test.get("fault_line"))
    if outcome not in _FAILED:
        return error("tests.tampered", said, _UNTOUCHED, file=file, line=line)
    return error("tests.failed", said, "correct the code or the test; --verbose shows more", file=file, line=line)


def _collection(item: dict[str, Any]) -> Finding:
    name = one_line(item.get("id"))
    said = f"pytest could not collect {name}: {message(item.get('message'))}"
    remedy = "correct what fails when the file is imported; --verbose shows the traceback"
    return error("tests.collection", said, remedy, file=_file(name))


def _about(test: str, rule: str, said: str, remedy: str, expected: dict[str, int]) -> Finding:
    return error(rule, said, remedy, file=_file(test), line=expected.get(_function(test)))


def _function(test: str) -> str:
    """The id of the function behind a parametrised test."""
    return test.partition("[")[0]


def _file(test: str) -> str | None:
    return test.partition("::")[0] or None


def _is_test_file(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    in_tests = folder == "tests" or folder.startswith("tests/")
    return in_tests and file.endswith(".py") and (file.startswith("test_") or file.endswith("_test.py"))


def _tests_in(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in module.body:
        if _is_test(node):
            yield node.name, node.lineno
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test") and not _is_no_test_class(node):
            yield from ((f"{node.name}::{child.name}", child.lineno) for child in node.body if _is_test(child))


def _is_no_test_class(node: ast.ClassDef) -> bool:
    """pytest does not collect a class that has a constructor or says ``__test__ = False``."""
    return any(
        getattr(child, "name", "") == "__init__" or (isinstance(child, ast.Assign) and _says_no_test(child))
        for child in node.body
    )


def _is_test(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not node.name.startswith("test"):
        return False
    return not any(_names_fixture(decorator) for decorator in node.decorator_list)


def _says_no_test(node: ast.Assign) -> bool:
    named = any(isinstance(target, ast.Name) and target.id == "__test__" for target in node.targets)
    return named and isinstance(node.value, ast.Constant) and node.value.value is False


def _names_fixture(decorator: ast.expr) -> bool:
    """Whether ``fixture`` occurs in it, as in ``@pytest.fixture(scope=…)``; `ast.walk` does not recurse."""
    return any(
        "fixture" in (getattr(node, "attr", None) or getattr(node, "id", None) or "")
        for node in ast.walk(decorator)
    )
