"""A short soak; `make soak` is the long one."""

import pytest

from benchmarks.sandbox import bench
from benchmarks.soak import GROWTH, soak

pytestmark = pytest.mark.engine


def test_sessions_in_a_row_and_at_once_leave_nothing(own_engine):
    with bench() as place:
        found = soak(place, sessions=10, together=3)
    assert found.left == {}
    assert found.growth <= GROWTH
