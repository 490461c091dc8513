"""Reads the docker client's contexts: which engine `docker` itself would speak to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.core.containers.options import home_dir
from toolchain.core.errors import SettingsFault


@dataclass(frozen=True)
class Credentials:
    """A folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, and whether the engine's certificate is checked."""

    folder: Path
    verify: bool


@dataclass(frozen=True)
class Endpoint:
    """An engine's address and, for TLS, the credentials to use."""

    address: str
    credentials: Credentials | None = None


def from_variables(address: str, environment: Mapping[str, str]) -> Endpoint:
    """``address`` with the TLS files that docker's environment variables name.

    ``DOCKER_CERT_PATH`` or a non-empty ``DOCKER_TLS_VERIFY`` turn TLS on; only the latter checks the certificate.
    Source: https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    folder = environment.get("DOCKER_CERT_PATH")
    if not (verify or folder):
        return Endpoint(address)
    return Endpoint(address, Credentials(Path(folder) if folder else home_dir(environment) / ".docker", verify))


def current_context(environment: Mapping[str, str]) -> tuple[str, Endpoint] | None:
    """Name and endpoint of the context in use; ``None`` for the built-in ``default`` one.

    ``DOCKER_CONTEXT`` wins over ``currentContext`` in ``config.json``. Raises ``SettingsFault`` when the named
    context does not exist or cannot be read. The store's layout (folders named by the SHA-256 of the context's
    name) is docker/cli's cli/context/store.
    """
    folder = Path(environment.get("DOCKER_CONFIG") or home_dir(environment) / ".docker")
    name = environment.get("DOCKER_CONTEXT") or _read_json(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    meta = folder / "contexts/meta" / digest / "meta.json"
    endpoint = _read_json(meta).get("Endpoints", {}).get("docker", {})
    address = endpoint.get("Host")
    if not address:
        raise SettingsFault(
            f"the docker context {name!r} has no engine address",
            where=str(meta),
            remedy="choose another with `docker context use default`, or set DOCKER_HOST",
        )
    files = folder / "contexts/tls" / digest / "docker"
    verify = not endpoint.get("SkipTLSVerify", False)
    return name, Endpoint(str(address), Credentials(files, verify) if files.is_dir() else None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as reason:
        raise SettingsFault(
            f"docker's own configuration cannot be read: {reason}",
            where=str(path),
            remedy="repair or remove the file, or set DOCKER_HOST to the engine's address",
        ) from reason
    return value if isinstance(value, dict) else {}
