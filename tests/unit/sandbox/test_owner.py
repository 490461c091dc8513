"""The owner-host label of sandboxes: process ids are compared only where they mean the same."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.leftovers import OWNER_HOST, ownership

if TYPE_CHECKING:
    import pytest


def test_the_owner_s_host_names_the_pid_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "readlink", lambda _: Path("pid:[1]"))
    here = ownership()[OWNER_HOST]
    monkeypatch.setattr(Path, "readlink", lambda _: Path("pid:[2]"))
    assert here.startswith(f"{socket.gethostname()}/")
    assert here.endswith("/pid:[1]")
    assert ownership()[OWNER_HOST] != here
