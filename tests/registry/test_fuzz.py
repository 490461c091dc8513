"""schemathesis over the whole API: whatever is sent, no answer is a 500."""

from __future__ import annotations

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from registry.access import Role
from tests.support.registries import embedded_only

pytestmark = embedded_only


def test_no_request_makes_a_500(server):
    document = httpx.get(f"{server.url}/openapi.json", timeout=60).json()
    key = server.key(Role.ADMIN, "*")
    seen: dict[str, int] = {}
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            answer = case.call(base_url=server.url, headers={"Authorization": f"Bearer {key}"})
            label = f"{case.method} {case.path}"
            seen[label] = seen.get(label, 0) + 1
            assert answer.status_code != 500, f"{label}: {answer.text}"

        check()
    assert len(seen) >= 13
    assert min(seen.values()) >= 1
