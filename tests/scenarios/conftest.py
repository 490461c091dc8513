"""A plugin for the scenarios to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plugins import Plugin, make_plugin


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """A valid plugin."""
    return make_plugin(tmp_path)
