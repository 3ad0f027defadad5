"""A click group whose verbs are imported when they are used; what they raise becomes an exit code."""

from __future__ import annotations

import importlib
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

import click

from penstock.errors import PenstockError


class Verb(NamedTuple):
    """One line of ``penstock --help``; the verb itself is ``penstock.cli.<name>:<name>``."""

    name: str
    section: str
    """The heading it stands under."""
    purpose: str
    """One sentence; the same as the first line of the verb's own help."""


class VerbCommand(click.Command):
    """A command whose help shows what to type before it explains the options."""

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[str] = (),
        terms: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        **settings: Any,
    ) -> None:
        """``terms``: words and what they mean, under a heading each."""
        super().__init__(*arguments, **settings)
        self.examples = examples
        self.terms = terms or {}

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the purpose, the examples, the terms."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_text("\b\n" + "\n".join(self.examples))
        for heading, words in self.terms.items():
            with formatter.section(heading):
                formatter.write_dl(words)


class VerbFamily(VerbCommand, click.Group):
    """A verb with verbs of its own: ``penstock dead list``."""


class VerbGroup(VerbFamily):
    """Knows its verbs by a table, so that listing them imports none of them."""

    def __init__(self, *, verbs: Iterable[Verb], **settings: Any) -> None:
        super().__init__(**settings)
        self.verbs = {verb.name: verb for verb in verbs}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb, or ``None`` when there is no such one."""
        if cmd_name not in self.verbs:
            return None
        command = getattr(importlib.import_module(f"penstock.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb of a command line, or name the nearest one."""
        wrong = args[0] not in self.verbs and not args[0].startswith("-")
        if wrong and not ctx.resilient_parsing:
            from penstock.pipeline.nearest import nearest

            ctx.fail(f"there is no verb {args[0]!r}{nearest(args[0], self.verbs)}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs before the options: they are what one looks for."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for verb in self.verbs.values():
            sections.setdefault(verb.section, []).append((verb.name, verb.purpose))
        widest = max(map(len, self.verbs))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), purpose) for name, purpose in rows])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. Errors become one sentence and an exit code; click's own go on to ``main``."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            return 130
        except Exception as error:  # noqa: BLE001  whatever it is, the user gets a sentence
            # Imported only now: a command that works pays for no error handling.
            from penstock.cli import failure

            if isinstance(error, PenstockError):
                return failure.explain(error, as_json=bool(ctx.meta.get("json")))
            return failure.report(error, as_json=bool(ctx.meta.get("json")))
