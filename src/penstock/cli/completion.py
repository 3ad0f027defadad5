"""``penstock completion``: verbs and options are completed by the shell. click knows how."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from penstock.cli import terminal
from penstock.cli.group import VerbCommand

EXAMPLES = (
    "penstock completion bash >> ~/.bashrc",
    "penstock completion zsh >> ~/.zshrc",
    "penstock completion fish > ~/.config/fish/completions/penstock.fish",
)


@click.command(cls=VerbCommand, examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Write what a shell needs to complete verbs and options."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of the choice"
    root = click.get_current_context().find_root()
    script = kind(root.command, {}, "penstock", "_PENSTOCK_COMPLETE")
    # Not script.source(): for bash that starts a bash only to ask for its version.
    terminal.data(script.source_template % script.source_vars())
