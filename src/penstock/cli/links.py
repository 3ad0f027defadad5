"""The links of a running pipeline, by the names that people give them."""

from __future__ import annotations

from typing import Any

from penstock.cli.stagename import elsewhere
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest


def named(place: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The links that ``place`` means, of the answer of ``ps``: one by its name, else all that leave a stage
    of that name, of a sink those that come to it.

    Raises:
        UserError: there is none.
    """
    every: list[dict[str, Any]] = answer["links"]
    found = [link for link in every if link["link"] == place.replace("->", "→")]
    found = found or [link for link in every if link["source"] == place]
    found = found or [link for link in every if link["target"] == place]
    if not found:
        if sentence := elsewhere(place, answer):
            raise UserError(sentence)
        known = [link["link"] for link in every] + [stage["name"] for stage in answer["stages"]]
        raise UserError(f"{answer['pipeline']} has no link and no stage {place!r}{nearest(place, known)}")
    return found
