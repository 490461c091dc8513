"""What the policy's tables say of single names: each line stands with its reason and under a rule that exists."""

from __future__ import annotations

import pytest

from tests.support.scanning import reached
from toolchain.scan.policy import load_policy

_POLICY = load_policy()


def test_each_line_of_a_table_has_its_reason_and_its_rule() -> None:
    for line in (*_POLICY.environment.values(), *_POLICY.keywords.values()):
        assert line.reason
        assert line.rule in _POLICY.rules
    assert all(text.reason for text in _POLICY.texts.values())


def test_each_function_that_runs_text_has_its_line() -> None:
    judged = {name for name, rule in _POLICY.exact.items() if rule.judge == "text"}
    assert judged == set(_POLICY.texts)


@pytest.mark.parametrize("name", _POLICY.environment)
def test_each_variable_of_the_table_is_found_where_it_is_set(name) -> None:
    found = {(one.rule, one.note) for one in reached(f"import os\nos.environ[{name!r}] = '1'\n")}
    assert found == {(_POLICY.environment[name].rule, _POLICY.environment[name].note)}


@pytest.mark.parametrize("name", ["LD_PRELOADS", "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "HF_HOME"])
def test_a_variable_that_only_looks_like_one_is_not(name) -> None:
    assert reached(f"import os\nos.environ[{name!r}] = '1'\n") == []


def test_a_keyword_counts_only_where_its_line_says() -> None:
    assert reached("import ffmpeg\nffmpeg.input('x').run(cmd='sh')\n")
    assert reached("x.run(cmd='sh')\n") == []  # without ffmpeg anything may have such a keyword
    assert reached("import ffmpeg\nx.start(cmd='sh')\n") == []
