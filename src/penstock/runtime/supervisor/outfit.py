"""Runs in the supervisor: what a worker is given on its way: interpreter, environment, assignment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock.pipeline import secret
from penstock.pipeline.plan import Plan, StagePlan, outlets
from penstock.runtime import control
from penstock.runtime.policy import action
from penstock.runtime.policy.roster import Roster
from penstock.runtime.rundir import RunDir
from penstock.runtime.shm import Budget
from penstock.runtime.statedir import StateDir
from penstock.runtime.supervisor import process
from penstock.runtime.supervisor.assignment import assign

if TYPE_CHECKING:
    from penstock.environments.environment import Environment


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
        environments: Mapping[str, Environment],
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
        self._environments = {
            stage.name: environments[stage.env] for stage in plan.stages if stage.env is not None
        }
        self._commands = {
            stage.name: [self._interpreter(stage), "-s", "-X", "faulthandler"] for stage in plan.stages
        }
        # Kept apart from the plan, which people are shown.
        self._config, self._secrets = secret.revealed(
            [plan.config, {stage.name: stage.secrets for stage in plan.stages}], environ
        )
        self._lives: Counter[tuple[str, int]] = Counter()

    def add(self, plan: Plan, stage: StagePlan, environments: Mapping[str, Environment]) -> None:
        """One more stage, which ``plan`` has.

        Raises:
            EnvironmentFault: its interpreter is not there.
            UserError: a secret of it cannot be had.
        """
        secrets = secret.revealed([stage.secrets], self._environ)[0]
        self._environments.pop(stage.name, None)
        if stage.env is not None:
            self._environments[stage.name] = environments[stage.env]
        self._commands[stage.name] = [self._interpreter(stage), "-s", "-X", "faulthandler"]
        self._secrets[stage.name] = secrets
        self._stages[stage.name] = stage
        self._plan = plan

    def _interpreter(self, stage: StagePlan) -> str:
        return process.find_interpreter(stage, self.environment(stage.name))

    def environment(self, stage: str) -> Environment | None:
        """What its workers run in, if it has named one."""
        return self._environments.get(stage)

    def env(self, stage: str) -> str:
        """The hash of that; empty: it has named none."""
        within = self.environment(stage)
        return within.key if within else ""

    def elsewhere(self, stage: str, prefix: str) -> str:
        """Why a worker that runs in ``prefix`` is none of that stage's; empty: it is."""
        within = self.environment(stage)
        if within is None or (prefix and os.path.realpath(prefix) == os.path.realpath(within.probe.prefix)):
            return ""
        return f"it runs in {prefix or 'nobody knows what'}, and not in {within.name}, {within.probe.prefix}"

    def interpreter(self, stage: str) -> str:
        """What runs its workers."""
        return self._commands[stage][0]

    def foreign(self, stage: str) -> str:
        """Its interpreter, if it has named one; else empty."""
        return self.interpreter(stage) if self._stages[stage].interpreter else ""

    def secrets(self, stage: str) -> dict[str, str]:
        """What its workers find in their environment and nobody else is to see."""
        found: dict[str, str] = self._secrets[stage]
        return found

    def surroundings(self, stage: str, replica: int = 0) -> tuple[list[str], dict[str, str]]:
        """The interpreter with its options, and the environment, of a stage's workers."""
        environ = {**self._environ, **self._secrets[stage]}
        within = self.environment(stage)
        env = process.environment(self._stages[stage], self._run_dir.path, environ, replica, within)
        return self._commands[stage], env

    def assign(
        self, wanted: action.Spawn | action.Admit, roster: Roster, *, record: control.Record | None
    ) -> control.Assignment:
        """Its assignment; with each the seat begins another life."""
        life = self._lives[wanted.stage, wanted.replica]
        self._lives[wanted.stage, wanted.replica] += 1
        feeds = outlets(self._plan, wanted.stage)
        return assign(
            self._plan,
            self._stages[wanted.stage],
            run=self._run_dir.name,
            replica=wanted.replica,
            replicas=wanted.replicas,
            number=wanted.number,
            run_dir=self._run_dir.path,
            state_dir=self._state_dir.path,
            arena_bytes=self._budget.share(self.senders(roster)) if feeds else 0,
            config=self._config,
            resume=self._resume,
            incarnation=life,
            paused=roster.stages[wanted.stage].paused,
            asked={name: each.asked for name, each in roster.stages.items()},
            record=record,
        )

    def senders(self, roster: Roster) -> int:
        """How many workers share the memory: all that are asked for and feed somebody."""
        feeding = {link.source for link in self._plan.links}
        return sum(stage.asked for stage in roster.stages.values() if stage.name in feeding)
