"""Who may ask for what: an owner all, an observer to look, a worker to take part, nobody else anything."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.policy.rights import AFAR, HERE, RIGHTS, VERBS, Kind, Role, afar, refusal, role_of
from penstock.runtime.supervisor.server import Server

verbs = st.sampled_from(sorted(VERBS)) | st.text(max_size=12)


def test_every_verb_of_the_control_socket_is_in_the_table() -> None:
    server = Server(Mock(), Mock(), journal=Mock())
    assert {*server._verbs, *server._subscriptions.verbs, *server._belongings, "attach"} == set(VERBS)
    assert set(server._belongings) == AFAR


@given(verbs)
def test_an_observer_changes_nothing_and_takes_no_part(verb: str) -> None:
    assert bool(refusal(Role.OBSERVER, verb)) == (VERBS.get(verb) is not Kind.READ)


@given(verbs)
def test_a_worker_takes_part_and_does_nothing_else(verb: str) -> None:
    assert bool(refusal(Role.WORKER, verb)) == (verb != "attach")


@given(verbs)
def test_an_owner_may_all_and_a_client_and_a_stranger_nothing(verb: str) -> None:
    assert refusal(Role.OWNER, verb) == ""
    assert refusal(Role.CLIENT, verb)
    assert refusal(Role.NOBODY, verb) == f"{verb} is refused: the run is another user's"


def test_every_role_has_its_rights_said() -> None:
    assert set(RIGHTS) == set(Role)


@pytest.mark.parametrize(
    ("uid", "owner", "role"),
    [(1000, 1000, Role.OWNER), (0, 1000, Role.OWNER), (1001, 1000, Role.NOBODY), (1000, 0, Role.NOBODY)],
)
def test_on_one_machine_the_owner_is_the_user_and_root(uid: int, owner: int, role: Role) -> None:
    assert role_of(uid, owner) is role


def test_a_refusal_says_what_the_role_may_and_whose_that_is() -> None:
    assert refusal(Role.OBSERVER, "scale") == (
        "scale is refused: a key that is trusted as observer may look at a run; to change a run takes an"
        " owner's"
    )


@given(verbs, st.sampled_from(Role))
def test_from_another_machine_nobody_may_more_and_some_things_nobody(verb: str, role: Role) -> None:
    assert bool(afar(role, verb)) == (bool(refusal(role, verb)) or verb in HERE)
    assert set(VERBS) > HERE
