"""The container engine: found or started, spoken to through the Docker API only."""

from toolchain.core.containers.connection import connect
from toolchain.core.containers.model import ContainerEngine

__all__ = ["ContainerEngine", "connect"]
