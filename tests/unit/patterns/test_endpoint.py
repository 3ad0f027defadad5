"""Endpoints: what is meant is taken, what strangers could use is refused, and each refusal is one
sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.patterns.endpoint import Endpoint, judge, read

hosts = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z]{1,5})?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
places = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=90)


@given(hosts, st.integers(1, 65535))
def test_tcp_is_read_as_it_is_written(host: str, port: int) -> None:
    endpoint = Endpoint("tcp", host, port)
    assert read(str(endpoint)) == endpoint


@given(st.sampled_from(["ipc", "inproc"]), places)
def test_files_and_names_are_read_as_they_are_written(transport: str, place: str) -> None:
    assert read(f"{transport}://{place}") == Endpoint(transport, place)


@given(st.text(max_size=60))
def test_any_text_is_an_endpoint_or_one_sentence(text: str) -> None:
    for written in (text, f"tcp://{text}", f"ipc://{text}", f"inproc://{text}"):
        try:
            endpoint = read(written)
        except UserError as error:
            sentence = str(error)
        else:
            sentence = " is no endpoint: "
            assert read(str(endpoint)) == endpoint
        assert " is no endpoint: " in sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("127.0.0.1:5555", "no transport; write tcp://host:port"),
        ("tpc://127.0.0.1:5555", "did you mean 'tcp'?"),
        ("tcp://127.0.0.1", "tcp://host:port"),
        ("tcp://127.0.0.1:70000", "ports are 1 to 65535"),
        ("tcp://127.0.0.1:http", "'http' is no port"),
        ("tcp://300.0.0.1:80", "'300.0.0.1' is no IPv4 address"),
        ("tcp://::1:80", "tcp://[::1]:port"),
        ("tcp://[1.2.3.4]:80", "no IPv6 address"),
        ("ipc://", "a file in a folder of yours"),
        ("ipc://@here", "everybody here may use it"),
        ("ipc://" + "x" * 108, "the kernel takes 107"),
        ("inproc://zeromq.zap.01", "no name begins with 'zeromq.'"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        read(text)
    assert says in str(error.value)


@pytest.mark.parametrize("place", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_on_loopback_nothing_more_is_asked(place: str) -> None:
    judge(Endpoint("tcp", place, 5555), binds=True, curve=False, all_interfaces=False)


@given(hosts, st.booleans())
def test_what_leaves_the_machine_needs_curve(host: str, binds: bool) -> None:
    endpoint = Endpoint("tcp", host, 5555)
    if endpoint.on_loopback:
        return
    with pytest.raises(UserError):
        judge(endpoint, binds=binds, curve=False, all_interfaces=True)
    if not endpoint.on_all_interfaces:
        judge(endpoint, binds=binds, curve=True, all_interfaces=False)


@pytest.mark.parametrize("place", ["*", "0.0.0.0", "::", "0:0::0"])
def test_all_interfaces_are_listened_on_when_told_so_only(place: str) -> None:
    with pytest.raises(UserError, match="all interfaces"):
        judge(Endpoint("tcp", place, 5555), binds=True, curve=True, all_interfaces=False)
    judge(Endpoint("tcp", place, 5555), binds=True, curve=True, all_interfaces=True)


def test_nobody_connects_to_any_port() -> None:
    with pytest.raises(UserError, match="cannot be connected to"):
        judge(Endpoint("tcp", "127.0.0.1"), binds=False, curve=False, all_interfaces=False)
