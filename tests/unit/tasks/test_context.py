from __future__ import annotations

from typing import Any

import pytest

from penstock.tasks.context import Checkpoint, JobContext


def test_what_was_saved_last_is_there_to_go_on_from() -> None:
    context = JobContext()
    context.checkpoint("epoch.pt", 2**53)
    assert context.resume == Checkpoint("epoch.pt", 2**53)


@pytest.mark.parametrize("step", [2**53 + 1, 2**63, -1, 1.5, True])
def test_a_step_that_no_store_holds_is_an_error_where_it_is_said(step: Any) -> None:
    with pytest.raises(ValueError, match="the step of a checkpoint is a whole number from 0 to 2"):
        JobContext().checkpoint("epoch.pt", step)


def test_an_address_that_no_message_holds_is_an_error_where_it_is_said() -> None:
    with pytest.raises(ValueError, match="the uri of a checkpoint is a text of up to 1024 letters"):
        JobContext().checkpoint("x" * 1025)
