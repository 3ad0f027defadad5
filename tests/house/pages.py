"""A page of documentation as something that can be run: its fenced blocks, and what they promise.

Four kinds of block exist, and there is no fifth:

    ```python     first line `# app.py`: a file of that name. Without a name: a script, run at once.
    ```toml       first line `# penstock.toml`: a file of that name.
    ```console    `$ command`, then what it prints. `^C` presses Ctrl-C there; `$ command &` runs beside.
    ```text       a drawing or a figure: nothing that could be run.

What a command prints is compared by shape: a number stands for any number, but 0 for 0 (`0 lost` is a
promise), `...` for any text, and a line that is only `...` for any lines. Every line shown must be printed,
and no others unless `...` says so. A command must end well, unless the page says otherwise:
`$ penstock check app.py  # exit 1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# ([\w./-]+\.(?:py|txt|toml))\s*$")
EXIT = re.compile(r"\s+# exit (\d+)$")
NUMBER = re.compile(r"\d[\d.,:_]*(?:\s?(?:ns|µs|ms|s|B|[KMG]i?B)(?!\w))?")
ANYTHING = ("...", "…")
NOTHING = re.compile(r"0(?![\d.,:])")
STATUS = re.compile(r"\d\d:\d\d:\d\d [\d.,]+ items/s .*")
"""What `penstock run` says every few seconds: how often is the machine's affair, a page may leave it out."""
KINDS = ("python", "toml", "console", "text")
RUNNABLE = re.compile(r"^(\$ |>>> |import |from \w+ import |def |@\w)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    kind: str
    body: str
    line: int

    @property
    def name(self) -> str | None:
        """The file that it is, if it is one."""
        found = NAME.match(self.body.partition("\n")[0])
        return found[1] if found else None


@dataclass
class Command:
    """One `$` line of a console block, and what is shown below it."""

    text: str
    line: int
    shown: list[str] = field(default_factory=list)

    @property
    def beside(self) -> bool:
        """Whether it goes on while the next commands are run."""
        return self.text.endswith(" &")

    @property
    def status(self) -> int:
        """The exit code it is said to have: `$ penstock check app.py  # exit 4`; else 0."""
        found = EXIT.search(self.text)
        return int(found[1]) if found else 0

    @property
    def before_interrupt(self) -> list[str]:
        """What must have been printed when Ctrl-C is pressed; all of it, when it never is."""
        at = self._interrupt()
        return self.shown if at is None else self.shown[:at]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C is pressed at all."""
        return self._interrupt() is not None

    @property
    def expected(self) -> list[str]:
        """All lines shown, without the mark of Ctrl-C."""
        lines = [line.removeprefix("^C").strip() for line in self.shown]
        return [line for line in lines if line]

    def _interrupt(self) -> int | None:
        return next((at for at, line in enumerate(self.shown) if line.startswith("^C")), None)


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = path.read_text()
    found = []
    for match in FENCE.finditer(text):
        indent = len(match[1])
        body = "".join(line[indent:] for line in match[3].splitlines(keepends=True))
        found.append(Block(match[2], body, text.count("\n", 0, match.start()) + 1))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for number, line in enumerate(block.body.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(line[2:].strip(), number))
        elif found:
            found[-1].shown.append(line)
    return found


def differences(expected: list[str], printed: list[str]) -> list[str]:
    """In what the lines printed differ in shape from those expected; nothing when they do not."""
    shapes = [(line, _shape(line)) for line in expected if line not in ANYTHING]
    lines = [line for text in printed for part in text.split("\r") if (line := " ".join(part.split()))]
    missing = [f"never printed: {line}" for line, shape in shapes if not any(map(shape.fullmatch, lines))]
    if len(shapes) < len(expected):
        return missing
    known = [STATUS, *(shape for _, shape in shapes)]
    strange = [line for line in lines if not any(shape.fullmatch(line) for shape in known)]
    return missing + [f"not in the page: {line}" for line in strange]


def _shape(line: str) -> re.Pattern[str]:
    """What a line must look like: a number stands for any number and unit, dots for any text."""
    parts = []
    for text in re.split(r" ?(?:\.\.\.|…)", " ".join(line.split())):
        at, pattern = 0, ""
        for number in NUMBER.finditer(text):
            pattern += re.escape(text[at : number.start()])
            pattern += number[0] if NOTHING.fullmatch(number[0]) else NUMBER.pattern
            at = number.end()
        parts.append(pattern + re.escape(text[at:]))
    return re.compile(".*".join(parts))
