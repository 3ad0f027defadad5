"""Where words go: data to stdout, talk to stderr, colour only where somebody looks at it."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import click


def colours(stream: TextIO) -> bool:
    """Whether to colour ``stream``: ``NO_COLOR`` wins over ``FORCE_COLOR``, which wins over what it is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def data(text: str) -> None:
    """Write what was asked for, to stdout."""
    click.echo(text, color=colours(sys.stdout))


def talk(text: str) -> None:
    """Write what is said about it, to stderr."""
    click.echo(text, err=True, color=colours(sys.stderr))


def dim(text: str) -> str:
    """Less important than its neighbours."""
    return click.style(text, dim=True)


def good(text: str) -> str:
    """As it should be."""
    return click.style(text, fg="green")


def bad(text: str) -> str:
    """Needs somebody."""
    return click.style(text, fg="red")


def doubtful(text: str) -> str:
    """May need somebody."""
    return click.style(text, fg="yellow")


def strong(text: str) -> str:
    """A heading."""
    return click.style(text, bold=True)
