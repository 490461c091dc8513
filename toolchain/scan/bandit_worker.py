"""The child that runs bandit's rules over sources from stdin: as ``toolchain.scan.worker`` runs our own.

bandit's own program would read its configuration and suppressions from the scanned tree, pass over what does not
parse with exit status 0, and visit every node for rules that look at calls and imports alone. Here its rules and
its visitor run on those nodes only; a test compares the results with those of its own program.
"""

from __future__ import annotations

import ast
import logging
from io import BytesIO
from typing import Any

from bandit.core import config, metrics, node_visitor, test_set

from toolchain.scan.bandit import TESTS
from toolchain.scan.child import TooSlow, answer_each, receive

_JUDGED = (ast.Call, ast.Import, ast.ImportFrom)


class _Visitor(node_visitor.BanditNodeVisitor):  # type: ignore[misc]  # bandit has no type hints
    """bandit's visitor, on the nodes that our rules look at."""

    def generic_visit(self, node: ast.AST) -> None:
        """Go through the tree in the order of the source, as bandit does."""
        for child in ast.iter_child_nodes(node):
            child._bandit_parent = node  # type: ignore[attr-defined]  # noqa: SLF001 - bandit's rules read it
            if isinstance(child, _JUDGED):
                self.pre_visit(child)
                self.visit(child)
                self.post_visit(child)
            self.generic_visit(child)


class _Errors(logging.Handler):
    """bandit logs what goes wrong inside of a rule and carries on: we do not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first line."""
        self.messages.append(record.getMessage().partition("\n")[0])


def main() -> None:
    """Read the request, answer for each file."""
    request = receive()
    errors = _Errors()
    bandits = logging.getLogger("bandit")
    bandits.propagate = False
    bandits.addHandler(errors)
    rules = test_set.BanditTestSet(config.BanditConfig(), {"include": list(TESTS)})
    answer_each(request, lambda name, source: _judge(rules, name, source, errors))


def _judge(rules: Any, name: str, source: bytes, errors: _Errors) -> dict[str, Any]:
    errors.messages.clear()
    found: list[Any] = []
    try:
        # The empty table of lines with "nosec" makes suppressions in the plugin mean nothing.
        visitor = _Visitor("plugin.py", BytesIO(source), None, rules, False, {}, metrics.Metrics())
        visitor.generic_visit(ast.parse(source))
        found = visitor.tester.results
        problem = ["bandit.failed", errors.messages[0][:200], 1] if errors.messages else None
    except SyntaxError as reason:
        problem = ["bandit.failed", f"not valid Python: {reason.msg}", reason.lineno or 1]
    except TooSlow:
        problem = ["bandit.failed", "more work than a scan gives one file", 1]
    except Exception as reason:  # noqa: BLE001 - a rule that fails must read as "not judged", never as "clean"
        problem = ["bandit.failed", f"{type(reason).__name__}: {reason}"[:200], 1]
    return {"file": name, "reached": [_hit(issue) for issue in found], "problem": problem}


def _hit(issue: Any) -> list[Any]:
    last = max(issue.linerange, default=issue.lineno)
    return [issue.test_id, issue.lineno, last, max(issue.col_offset, 0), issue.text]


if __name__ == "__main__":
    main()
