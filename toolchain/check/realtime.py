"""The realtime handler's answer to one request."""

from __future__ import annotations

from typing import Any

from toolchain.check.untrusted import entries, fields, text, texts
from toolchain.check.vectors import check_vector, embedding_features
from toolchain.core.findings import Finding, Severity, error

_FILE = "realtime.py"
_INTACT = "remove the code that interferes with the process that tests the plugin"


def check_realtime(result: dict[str, Any], features: Any) -> list[Finding]:
    """Findings about the response that the guest reports; vectors are measured here."""
    response = fields(result.get("response"))
    if not response:
        if entries(result.get("problems")):
            return []  # they say why there is none
        return [error("realtime.response", "predict's response was not reported", _INTACT, file=_FILE)]
    if response.get("kind") != "dict":
        message = f"predict returned {text(response.get('kind'), 60)}, not a dictionary"
        return [error("realtime.response", message, 'return {"embedding": [...]}', file=_FILE)]
    vectors = fields(response.get("vectors"))
    declared = embedding_features(features)
    findings = []
    for feature in declared:
        key = feature.name if feature.name in vectors else "embedding"
        if isinstance(vectors.get(key), list):
            findings.extend(check_vector(vectors[key], feature, f"{_FILE}: {key!r}"))
        elif feature.alone:
            message = f"the response has no vector under {feature.name!r} or 'embedding'"
            near = " (it has 'embeddings')" if "embeddings" in texts(response.get("keys")) else ""
            remedy = "return the vector as a list of numbers under 'embedding', singular"
            findings.append(error("realtime.embedding", message + near, remedy, file=_FILE))
    return findings


def missing_handler(values: dict[str, Any]) -> list[Finding]:
    """A manifest that declares a feature URI promises queries, which need a handler."""
    if "feature_uri" not in values:
        return []
    message = "the manifest declares feature_uri but there is no realtime.py: queries will fail"
    remedy = "add realtime.py with class RealtimeHandler, or remove feature_uri"
    return [Finding(Severity.WARNING, "realtime.missing", message, remedy, _FILE)]
