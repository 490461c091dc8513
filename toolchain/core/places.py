"""Where a user's lasting things lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def home_dir(environment: Mapping[str, str]) -> Path:
    """The user's home: ``HOME``, else what the system's user database says."""
    home = environment.get("HOME")
    return Path(home) if home else Path("~").expanduser()


def state_dir(environment: Mapping[str, str]) -> Path:
    """Where lasting state lives: ``MIXPEEK_STATE_DIR``, else ``XDG_STATE_HOME/mixpeek``, else under the home."""
    if own := environment.get("MIXPEEK_STATE_DIR"):
        return Path(own).absolute()
    xdg = environment.get("XDG_STATE_HOME", "")
    # The XDG base directory specification says to ignore a relative path.
    base = Path(xdg) if Path(xdg).is_absolute() else home_dir(environment) / ".local/state"
    return base / "mixpeek"
