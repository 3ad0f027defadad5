"""One line says where the broker is, and never shows a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.rabbitmq.url import has_password, masked, parse, with_file

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
PASSWORD = "hush-hush"


def test_what_is_not_said_is_what_is_usual() -> None:
    url = parse("amqp://ada:pw@broker.example")
    assert (url.host, url.port, url.vhost, url.tls) == ("broker.example", 5672, "penstock", False)
    assert url.apis == ("http://broker.example:15672",)
    secure = parse("amqps://ada:pw@broker.example")
    assert (secure.port, secure.apis) == (5671, ("https://broker.example:15671",))


def test_the_nodes_of_a_cluster_are_as_many_places_with_all_else_in_common() -> None:
    url = parse("amqp://ada:pw@n1,[::1]:5673,n3:5674/jobs")
    assert url.place == "n1:5672,[::1]:5673,n3:5674"
    assert [str(node) for node in url.nodes] == [
        "amqp://ada:***@n1:5672/jobs",
        "amqp://ada:***@[::1]:5673/jobs",
        "amqp://ada:***@n3:5674/jobs",
    ]
    assert url.apis == ("http://n1:15672", "http://[::1]:15672", "http://n3:15672")
    assert parse("amqp://n1,n2?management=http://h:1").apis == ("http://h:1",)


def test_without_a_user_it_is_the_guest_of_the_brokers_own_machine() -> None:
    url = parse("amqp://localhost")
    assert (url.user, url.reveal({})) == ("guest", "guest")


@given(WORDS, WORDS, WORDS)
def test_any_user_password_and_virtual_host_come_through(user: str, password: str, vhost: str) -> None:
    url = parse(f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@h/{quote(vhost, safe='')}")
    assert (url.user, url.reveal({}), url.vhost) == (user, password, vhost)


@given(WORDS.filter(lambda word: len(word) > 3))
def test_a_password_is_in_nothing_that_is_shown(password: str) -> None:
    url = parse(f"amqp://ada:{quote(password, safe='')}@broker.example/jobs")
    assert str(url) == "amqp://ada:***@broker.example:5672/jobs"
    assert repr(url) == f"<{url}>"


def test_the_password_may_be_in_a_file_or_a_variable(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    assert parse("amqp://a@h?password_file=secret", directory=str(tmp_path)).reveal({}) == PASSWORD
    assert parse("amqp://a@h?password_env=PW").reveal({"PW": PASSWORD}) == PASSWORD
    with pytest.raises(UserError, match=r"penstock\.toml:3: the variable PW is not set"):
        parse("amqp://a@h?password_env=PW", where="penstock.toml:3").reveal({})


def test_who_brings_a_certificate_and_no_password_is_whom_it_names() -> None:
    url = parse("amqps://h?ca=ca.pem&cert=me.pem&key=me.key", directory="/etc/penstock")
    assert url.external
    assert url.cert == "/etc/penstock/me.pem"
    assert not parse("amqps://ada:pw@h?cert=me.pem&key=me.key").external


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"http://ada:{PASSWORD}@h/x", "is no URL of a broker; write amqps://"),
        (f"ada:{PASSWORD}@h", "is no URL of a broker"),
        ("", "is no URL of a broker"),
        (f"amqp://ada:{PASSWORD}@", "is no URL of a broker"),
        (f"amqp://ada:{PASSWORD}@n1,,n3", "is no URL of a broker"),
        (f"amqp://ada:{PASSWORD}@n1,n2:port", "the host or the port"),
        (f"amqp://ada:{PASSWORD}/x@h", "a sign in a password is written as %XX"),
        (f"amqp://ada:{PASSWORD}@h:port", "the host or the port"),
        (f"amqp://ada:{PASSWORD}@h/a/b", "written as %2F"),
        (f"amqp://ada:{PASSWORD}@h?pasword_file=x", "did you mean 'password_file'?"),
        (f"amqp://ada:{PASSWORD}@h?password_file=x", "the password is said twice"),
        (f"amqp://:{PASSWORD}@h", "no user whose it is"),
        (f"amqp://ada:{PASSWORD}@h?ca=x", "write amqps:// in place of amqp://"),
        (f"amqps://ada:{PASSWORD}@h?cert=x", "cert= and key= go together"),
        (f"amqps://ada:{PASSWORD}@h?ca=", "ca= says nothing"),
        (f"amqp://ada:{PASSWORD}@h?management=h:1", "an address like http://HOST:15672"),
    ],
)
def test_what_is_wrong_is_one_sentence_without_the_password(line: str, why: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(line, where="--broker")
    assert str(refused.value).startswith("--broker: ")
    assert why in str(refused.value)
    assert PASSWORD not in str(refused.value)


@given(WORDS)
def test_whatever_is_shown_of_a_line_lacks_what_stands_between_the_colon_and_the_last_at(word: str) -> None:
    secret = f"{PASSWORD}{word}"
    assert PASSWORD not in masked(f"amqp://ada:{secret}@h/x")
    assert PASSWORD not in masked(f"ada:{secret}@h/x")


@given(WORDS, WORDS)
def test_a_password_moves_into_a_file_and_all_else_stays(user: str, password: str) -> None:
    line = f"amqps://{quote(user, safe='')}:{quote(password, safe='')}@h:1/jobs?ca=a%26b&timeout=30s"
    moved = with_file(line, "/run/pass word")
    assert has_password(line) and not has_password(moved)
    before, after = parse(line), parse(moved)
    assert after.secret is not None and after.secret.file == "/run/pass word"
    assert (after.user, after.place, after.vhost, after.ca, after.timeout) == (
        before.user, before.place, before.vhost, before.ca, 30.0,
    )  # fmt: skip


def test_a_variable_with_the_password_is_not_named_any_more() -> None:
    moved = with_file("amqp://a@h?password_env=PW", "/run/p")
    assert moved == "amqp://a@h?password_file=%2Frun%2Fp"
    assert has_password("amqp://a@h?password_env=PW") and not has_password("amqp://localhost")
