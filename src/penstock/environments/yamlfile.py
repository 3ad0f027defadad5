"""YAML in which everything knows its place, so that what is wrong is told with its line and column.

The text is composed to nodes and never loaded: a scalar stays what stands in the file (``3.10`` is no number,
``yes`` no truth value), and a key that appears twice is seen instead of being lost.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from penstock.errors import BadSpec
from penstock.pipeline.place import near

if TYPE_CHECKING:
    import yaml

_NULL = {"", "~", "null", "Null", "NULL"}


class Node(NamedTuple):
    """A mapping, a list or a scalar of the file at ``path``."""

    path: str
    lines: tuple[str, ...]
    """Of the whole file: comments are in no node."""
    content: Any
    """A node of PyYAML's."""

    @property
    def place(self) -> str:
        """``environment.yml:4:5``, seen from the current directory."""
        mark = self.content.start_mark
        return f"{near(self.path)}:{mark.line + 1}:{mark.column + 1}"

    @property
    def line(self) -> str:
        """The line it begins in, with what else stands there."""
        number = self.content.start_mark.line
        return self.lines[number] if number < len(self.lines) else ""

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a list nor a mapping."""
        return bool(self.content.id == "scalar")

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return bool(self.content.id == "mapping")

    @property
    def is_null(self) -> bool:
        """Whether nothing stands there."""
        return self.is_scalar and self.content.style is None and self.content.value in _NULL

    def text(self, what: str) -> str:
        """The scalar as it was written, without quotes. ``what`` begins the sentence when it is none."""
        if self.content.id != "scalar":
            self.refuse(f"{what} must be plain text")
        text = str(self.content.value).strip()
        if re.search("[\ud800-\udfff]", text):
            self.refuse(
                f"{what} has half a character in it: \\ud800 and the like stand in pairs in JSON only"
            )
        return text

    def items(self, what: str) -> list[Node]:
        """Those of a list."""
        if self.content.id != "sequence":
            self.refuse(f"{what} must be a list: lines that begin with '- '")
        return [self._of(each) for each in self.content.value]

    def pairs(self, what: str) -> Iterator[tuple[str, Node, Node]]:
        """Of each key of a mapping its text, itself and its value, in the file's order."""
        if self.content.id != "mapping":
            self.refuse(f"{what} must be a mapping: lines like 'NAME: value'")
        seen: set[str] = set()
        for key, value in self.content.value:
            node = self._of(key)
            text = node.text("a key")
            if text in seen:
                node.refuse(f"the key {text!r} appears twice")
            seen.add(text)
            yield text, node, self._of(value)

    def refuse(self, sentence: str) -> NoReturn:
        """Say what is wrong with it.

        Raises:
            BadSpec: always.
        """
        raise BadSpec(sentence, self.place)

    def _of(self, content: Any) -> Node:
        return self._replace(content=content)


def read(path: str, origin: str) -> Node:
    """What stands in the file at ``path``, which is named at ``origin``.

    Raises:
        BadSpec: it cannot be read, is empty or is no YAML.
    """
    import yaml  # costs as long as all the rest of a look at environments that are made of no YAML

    text = _text(path, origin)
    lines = tuple(text.splitlines())
    try:
        content = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, lines, error) from None
    except yaml.YAMLError as error:
        raise BadSpec(f"this is not YAML: {str(error).splitlines()[0]}", near(path)) from None
    except RecursionError:
        raise BadSpec("this is not YAML that people write: it is nested too deeply", near(path)) from None
    if content is None:
        raise BadSpec("the file is empty", near(path))
    return Node(path, lines, content)


def _not_yaml(path: str, lines: tuple[str, ...], error: yaml.MarkedYAMLError) -> BadSpec:
    mark = error.problem_mark or error.context_mark
    where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    hint = "; a tab cannot indent YAML, write spaces" if "\t" in indent else ""
    return BadSpec(f"this is not YAML: {error.problem or error.context}{hint}", f"{near(path)}{where}")


def _text(path: str, origin: str) -> str:
    """As conda reads it: UTF-8, or what the byte order mark says.

    Raises:
        BadSpec: there is no such file, or it is no text.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise BadSpec(f"{near(path)} cannot be read: {os.strerror(error.errno or 0)}", origin) from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadSpec("the file is not text in UTF-8", near(path)) from None
