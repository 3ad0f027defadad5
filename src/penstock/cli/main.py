"""``penstock``: the list of verbs, and the way in."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from penstock.cli.group import Verb, VerbGroup

BEGIN, RUNNING, JOBS, KEYS = "Begin", "A running pipeline", "Jobs", "Who may speak"
WRONG, MEASURE = "When something is wrong", "Measure"

VERBS = (
    Verb("init", BEGIN, "Write a pipeline that runs at once."),
    Verb("run", BEGIN, "Run a pipeline here, in the foreground."),
    Verb("up", BEGIN, "Run a pipeline in the background."),
    Verb("join", BEGIN, "Run workers of another host's pipeline here."),
    Verb("worker", BEGIN, "Run the jobs of an app's groups here, in the foreground."),
    Verb("graph", BEGIN, "Draw how a pipeline is wired."),
    Verb("check", BEGIN, "Look for mistakes without starting anything."),
    Verb("env", BEGIN, "Lock, build and look at the environments of stages and tasks."),
    Verb("config", BEGIN, "Show what counts for a pipeline, and who said so."),
    Verb("ps", RUNNING, "Show stages and their workers."),
    Verb("top", RUNNING, "Show a pipeline as it runs, every second anew."),
    Verb("logs", RUNNING, "Show what the workers printed."),
    Verb("events", RUNNING, "Show what has happened in a run."),
    Verb("tap", RUNNING, "Show samples of what flows between stages."),
    Verb("topic", RUNNING, "Listen to what a running pipeline publishes."),
    Verb("record", RUNNING, "Keep all that goes by the links of a running pipeline."),
    Verb("replay", RUNNING, "Run a pipeline, or a part of it, on what was recorded."),
    Verb("scale", RUNNING, "Change how many workers a stage has."),
    Verb("deploy", RUNNING, "Try another version of a service, then take it or leave it."),
    Verb("pause", RUNNING, "Have stages begin nothing more, until `resume`."),
    Verb("resume", RUNNING, "Let paused stages go on."),
    Verb("restart", RUNNING, "Replace workers by new ones, without a gap."),
    Verb("debug", RUNNING, "Run one worker of a pipeline here, under a debugger."),
    Verb("wait", RUNNING, "Wait until a pipeline is ready, idle, drained or ended."),
    Verb("drain", RUNNING, "Take nothing new, finish what is in flight, end."),
    Verb("stop", RUNNING, "End now; each worker finishes its current item only."),
    Verb("down", RUNNING, "End a pipeline as Ctrl-C does, and wait for its end."),
    Verb("tasks", JOBS, "Submit jobs, look at them, steer them."),
    Verb("hub", JOBS, "Keep the store of jobs, where these go over a broker."),
    Verb("queues", JOBS, "Show what waits for each group of tasks."),
    Verb("broker", JOBS, "Set up the RabbitMQ that jobs go over, and examine it."),
    Verb("keys", KEYS, "Make keys, and say whose are trusted."),
    Verb("relay", KEYS, "Pass on connections between networks that cannot see each other."),
    Verb("dead", WRONG, "Read, put back, export and discard what kept failing."),
    Verb("doctor", WRONG, "Examine this machine and the stages' interpreters."),
    Verb("bench", MEASURE, "Measure this machine against plain pyzmq."),
    Verb("completion", MEASURE, "Write what a shell needs to complete verbs and options."),
    Verb("version", MEASURE, "Show the versions in use."),
)

EXAMPLES = (
    "penstock init demo && cd demo",
    "penstock run app.py",
    "penstock ps                      (from another terminal)",
)


def show_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    """Answer ``--version`` in one word, as other tools do."""
    if asked and not ctx.resilient_parsing:
        from penstock import __version__

        click.echo(f"penstock {__version__}")
        ctx.exit()


penstock = VerbGroup(
    name="penstock",
    verbs=VERBS,
    help="Pipelines of isolated Python processes that lose nothing.",
    examples=EXAMPLES,
    epilog="`penstock VERB --help` explains one verb.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="VERB ...",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show_version,
            help="Show the version and exit.",
        )
    ],
)


def main() -> NoReturn:
    """Run the command line of this process and exit with its answer."""
    sys.exit(answer(sys.argv[1:]))


def answer(arguments: list[str]) -> int:
    """Run one command line; returns the exit code.

    Verbs return theirs as a number (``None`` is 0); what they raise was turned into one by the group.
    """
    try:
        code = penstock.main(arguments, prog_name="penstock", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return code if isinstance(code, int) else 0
