"""What people see of an exception: their own frames, and ours only where the fault is ours."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import UnsupportedType
from penstock.message.codec import Decoder, Encoder
from penstock.runtime.worker.handler import user_traceback


def caught(call: Any) -> BaseException:
    """What ``call`` raises, as if our code had called it: without the frames of this file."""
    with pytest.raises(Exception) as raised:
        call()
    error = raised.value
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    return error


def test_of_a_value_that_cannot_travel_the_sentence_is_enough() -> None:
    text = user_traceback(caught(lambda: Encoder(None).encode(object())))

    assert "File" not in text
    assert UnsupportedType.__name__ in text and "cannot travel" in text


def test_a_fault_of_ours_is_shown_with_our_frames() -> None:
    broken = Decoder()
    broken._unpack = None  # type: ignore[assignment]

    text = user_traceback(caught(lambda: broken._array(b"")))

    assert "penstock/message/codec.py" in text and "TypeError" in text


def test_the_users_frames_stay_whatever_they_call() -> None:
    with pytest.raises(UnsupportedType) as raised:
        Encoder(None).encode(object())

    assert __file__ in user_traceback(raised.value)
