"""The container engine: found or started, spoken to through the Docker API only."""

from toolchain.core.containers.connection import connect, connect_running
from toolchain.core.containers.faults import engine_errors, engine_words
from toolchain.core.containers.model import ContainerEngine, EngineKind
from toolchain.core.containers.options import ConnectOptions, options_from_environment, state_dir
from toolchain.core.containers.private import (
    PrivateEngine,
    Stopped,
    running_private_engines,
    stop_private_engine,
)

__all__ = [
    "ConnectOptions",
    "ContainerEngine",
    "EngineKind",
    "PrivateEngine",
    "Stopped",
    "connect",
    "connect_running",
    "engine_errors",
    "engine_words",
    "options_from_environment",
    "running_private_engines",
    "state_dir",
    "stop_private_engine",
]
