"""A record beside the archive, compared without a server: what it says of the locked packages and of the scan."""

from __future__ import annotations

from typing import Any

import pytest

from registry.releases.evidence import Exhibit, prove
from registry.releases.steps import Work
from tests.support.plugins import NAME
from tests.support.releases import make_signed_release
from toolchain.publish.record.reading import record_document


@pytest.fixture
def standings(tmp_path):
    """The standing of every fact of a release whose predicates were changed by ``change``."""

    def made(change) -> dict[str, str]:
        release = make_signed_release(tmp_path, change)
        reading = release.packed.reading
        results: dict[str, Any] = {
            "reading": {"tar_sha256": reading.tar_sha256, "files_sha256": reading.files_sha256},
            "scan": {"rules": {"sha256": "c" * 64}},
        }
        claims = {"record": record_document(release.record.read_bytes())}
        work = Work("id", NAME, "1.0.0", "key", None, None, claims, results, tmp_path)
        proof = prove(work, Exhibit(release.packed.path, reading, tmp_path / NAME, None))
        return {fact.name: fact.standing.value for fact in proof.facts}

    return made


def test_an_honest_record_is_re_verified_where_we_looked(standings):
    found = standings(lambda _: None)
    assert (found["sbom"], found["scan.verdict"]) == ("re-verified", "re-verified")


def test_a_bill_with_another_version_than_the_lock_differs(standings):
    found = standings(lambda predicates: predicates["sbom"]["components"][0].update(version="9.9"))
    assert found["sbom"] == "differs"


@pytest.mark.parametrize("told", [[], {}, 1, "yes", None])
def test_a_verdict_of_another_type_is_no_verdict_and_no_fault_of_ours(standings, told):
    assert standings(lambda predicates: predicates["scan"].update(passed=told))["scan.verdict"] == "re-verified"
