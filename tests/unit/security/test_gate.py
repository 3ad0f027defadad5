"""Who is let in: whoever has a trusted key, and nobody else, whatever they send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.security.gate import NO, YES, judge
from penstock.security.keys import Trusted

FRIEND = Trusted("client", "x" * 40, "laptop")
KEY = bytes(range(32))
keys = st.just(KEY) | st.binary(min_size=32, max_size=32)


def who(domain: str, key: bytes) -> Trusted | None:
    return FRIEND if domain == "here" and key == KEY else None


def request(domain: bytes, mechanism: bytes, *credentials: bytes) -> list[bytes]:
    return [b"1.0", b"7", domain, b"10.0.0.9", b"", mechanism, *credentials]


def test_a_trusted_key_is_let_in_and_its_role_told() -> None:
    verdict = judge(request(b"here", b"CURVE", KEY), who)
    assert not verdict.refusal
    assert verdict.answer == [b"1.0", b"7", YES, b"", b"client:laptop", b""]


@given(st.sampled_from([b"here", b"there", b""]), keys)
def test_another_key_or_place_is_not(domain: bytes, key: bytes) -> None:
    verdict = judge(request(domain, b"CURVE", key), who)
    assert (verdict.answer[2] == YES) == (domain == b"here" and key == KEY)
    assert bool(verdict.refusal) == (verdict.answer[2] == NO)


@given(st.sampled_from([b"NULL", b"PLAIN", b"GSSAPI", b"curve"]), st.lists(st.binary() | keys, max_size=2))
def test_nobody_comes_in_another_way(mechanism: bytes, credentials: list[bytes]) -> None:
    assert judge(request(b"here", mechanism, *credentials), who).answer[2] == NO


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_hostile_requests_are_refused(frames: list[bytes]) -> None:
    assert judge(frames, who).answer[2] == NO


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_a_key_and_something_more_is_refused(more: list[bytes]) -> None:
    verdict = judge([*request(b"here", b"CURVE", KEY), *more], who)
    assert (verdict.answer[2] == YES) == (not more)
