"""Runs in the supervisor: what a worker is given on its way: interpreter, environment, assignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from penstock.pipeline import secret
from penstock.pipeline.plan import Plan, outlets
from penstock.runtime import action, control, process
from penstock.runtime.roster import Roster
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir


class Outfit:
    """Of all workers of a run. Interpreters and secrets are looked for once, at its start."""

    def __init__(
        self,
        plan: Plan,
        *,
        run_dir: RunDir,
        state_dir: StateDir,
        budget: Budget,
        environ: Mapping[str, str],
        resume: bool,
    ) -> None:
        """See that there is all that will be needed.

        Raises:
            EnvironmentFault: a stage's interpreter is not there.
            UserError: a secret cannot be had.
        """
        self._plan = plan
        self._run_dir = run_dir
        self._state_dir = state_dir
        self._budget = budget
        self._environ = environ
        self._resume = resume
        self._stages = {stage.name: stage for stage in plan.stages}
        self._commands = {
            stage.name: [process.find_interpreter(stage), "-s", "-X", "faulthandler"] for stage in plan.stages
        }
        # Kept apart from the plan, which people are shown.
        self._config, self._secrets = secret.revealed(
            [plan.config, {stage.name: stage.secrets for stage in plan.stages}], environ
        )
        self._lives: Counter[tuple[str, int]] = Counter()

    def interpreter(self, stage: str) -> str:
        """What runs its workers."""
        return self._commands[stage][0]

    def foreign(self, stage: str) -> str:
        """Its interpreter, if it has named one; else empty."""
        return self.interpreter(stage) if self._stages[stage].interpreter else ""

    def surroundings(self, stage: str, replica: int = 0) -> tuple[list[str], dict[str, str]]:
        """The interpreter with its options, and the environment, of a stage's workers."""
        environ = {**self._environ, **self._secrets[stage]}
        env = process.environment(self._stages[stage], self._run_dir.path, environ, replica)
        return self._commands[stage], env

    def assign(
        self, wanted: action.Spawn | action.Admit, roster: Roster, *, record: control.Record | None
    ) -> control.Assignment:
        """Its assignment; with each the seat begins another life."""
        life = self._lives[wanted.stage, wanted.replica]
        self._lives[wanted.stage, wanted.replica] += 1
        feeds = outlets(self._plan, wanted.stage)
        return control.assign(
            self._plan,
            self._stages[wanted.stage],
            run=self._run_dir.name,
            replica=wanted.replica,
            replicas=wanted.replicas,
            number=wanted.number,
            run_dir=self._run_dir.path,
            state_dir=self._state_dir.path,
            arena_bytes=self._budget.share(self._senders(roster)) if feeds else 0,
            config=self._config,
            resume=self._resume,
            incarnation=life,
            paused=roster.stages[wanted.stage].paused,
            asked={name: each.asked for name, each in roster.stages.items()},
            record=record,
        )

    def _senders(self, roster: Roster) -> int:
        """How many workers share the memory: all that are asked for and feed somebody."""
        feeding = {link.source for link in self._plan.links}
        return sum(stage.asked for stage in roster.stages.values() if stage.name in feeding)
