"""What is done once for a host is done by one, whole, whoever dies in the middle of it."""

from __future__ import annotations

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


def test_who_dies_while_it_sets_up_the_host_is_followed_by_one_other_and_all_find_it_whole(rig: Rig) -> None:
    run = rig.start("hostwide")
    run.end()
    assert len(run.tape("host")) == len(set(run.tape("host"))) == 2, "the one that died, and one more"
    assert run.tape("host")[0] not in run.tape("setup")
    assert run.tape("host")[1] in run.tape("setup")
    assert sorted(run.tape("record")) == list(range(100))
    assert len(run.lines("died: killed (SIGKILL)")) == 1
