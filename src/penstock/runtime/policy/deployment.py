"""Two versions of a service in one run, until one of them is taken. A decision module: no I/O, no clock.

Each version is a stage of its own, with its own seats: the one that has answered so far, and one on trial.
``Stage.share`` is the part of the calls that each is to have. Whichever way a trial ends, one of the two is
*retired*: its workers drain, and it is forgotten. A version on trial that cannot run is retired, too: where
another stage would end the run, this one only ends the trial.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.observe import events
from penstock.runtime.policy import stimulus
from penstock.runtime.policy.policy import staff
from penstock.runtime.policy.roster import Goal, Roster, Stage, Worker
from penstock.runtime.policy.turn import Turn


def versions(stages: Mapping[str, Stage], service: str) -> list[Stage]:
    """Those that answer its calls: one, or the older and the one on trial. None: there is no such service."""
    return [stage for stage in stages.values() if stage.of == service and not stage.retired]


def services(stages: Mapping[str, Stage]) -> list[str]:
    """All there are."""
    return list(dict.fromkeys(stage.of for stage in stages.values() if stage.of))


def shares(roster: Roster, service: str) -> dict[str, float]:
    """Which part of the calls each version gets now; together 1. A version of which nobody takes calls has
    none of them, unless that is so of all."""
    known = versions(roster.stages, service)
    answering = [stage for stage in known if any(map(takes, roster.members(stage.name)))]
    if not answering or len(answering) == len(known):
        return {stage.name: stage.share for stage in known}
    return {stage.name: float(stage in answering) for stage in known}


def takes(worker: Worker) -> bool:
    """Whether it takes calls."""
    going = worker.told > Goal.WORK or worker.finished or worker.killed or bool(worker.error)
    return worker.ready_at is not None and not going


def unknown(roster: Roster, service: str) -> str:
    """Why ``service`` has no versions, in one sentence; empty: it has."""
    if versions(roster.stages, service):
        return ""
    if service in roster.stages and not roster.stages[service].of:
        return f"{service} is no service: only what is called has versions"
    known = ", ".join(services(roster.stages))
    return f"no service is called {service}; " + (f"there are {known}" if known else "there are none")


def unfit(share: float) -> str:
    """Why that is no share, in one sentence; empty: it is."""
    return "" if 0 <= share <= 1 else f"a share of {share:.0%} cannot be: it is from 0% to 100%"


def refusal(roster: Roster, service: str, name: str, share: float) -> str:
    """Why the version ``name`` cannot be put on trial, in one sentence; empty: it can."""
    if wrong := unknown(roster, service) or unfit(share):
        return wrong
    *_, newest = known = versions(roster.stages, service)
    if len(known) > 1:
        return (
            f"{newest.name} is being deployed; first `penstock deploy {service} --all`, or --none, says how "
            "that ends"
        )
    if newest.name == name:
        return f"{name} answers all calls of {service} already; `penstock restart {name}` takes new code"
    if name in roster.stages:
        return f"{name} still finishes what it has in hand; deploy it when `penstock ps` shows it no more"
    if roster.goal > Goal.WORK or newest.drained:
        return "nothing is deployed any more: the pipeline is draining"
    return ""


def refusal_to_change(roster: Roster, service: str, *, share: float = 0.0, everything: bool = False) -> str:
    """Why the trial of a version cannot go on with that share, or end so, in one sentence; empty: it can."""
    if wrong := unknown(roster, service) or unfit(share):
        return wrong
    known = versions(roster.stages, service)
    if len(known) < 2:
        return f"{service} has one version; `penstock deploy {service}=CODE` begins with a second"
    if everything and not any(map(takes, roster.members(known[1].name))):
        return f"{known[1].name} cannot take all calls: no replica of it is ready"
    return ""


def hear(turn: Turn, happened: stimulus.Deploy | stimulus.Share | stimulus.Settle) -> None:
    """What somebody wants of versions."""
    match happened:
        case stimulus.Deploy():
            on_deploy(turn, happened)
        case stimulus.Share():
            on_share(turn, happened)
        case stimulus.Settle():
            on_settle(turn, happened)


def on_deploy(turn: Turn, happened: stimulus.Deploy) -> None:
    """Another version is put on trial."""
    stage, share = happened.stage, happened.share
    if turn.ended or refusal(turn.roster(), stage.of, stage.name, share):
        return
    older = versions(turn.stages, stage.of)[0]
    turn.change_stage(older.name, share=1.0 - share)
    turn.stages[stage.name] = stage._replace(share=share, feeders=older.feeders)
    turn.report(events.VersionDeployed(stage=stage.name, service=stage.of, share=share, replicas=stage.asked))
    staff(turn, turn.stages[stage.name])


def on_share(turn: Turn, happened: stimulus.Share) -> None:
    """The one on trial gets another part of the calls."""
    service, share = happened.service, happened.share
    if turn.ended or refusal_to_change(turn.roster(), service, share=share):
        return
    older, newer = versions(turn.stages, service)
    turn.change_stage(older.name, share=1.0 - share)
    turn.change_stage(newer.name, share=share)
    turn.report(events.VersionShared(stage=newer.name, service=service, share=share))


def on_settle(turn: Turn, happened: stimulus.Settle) -> None:
    """One of the two gets all calls."""
    if turn.ended or refusal_to_change(turn.roster(), happened.service, everything=happened.everything):
        return
    older, newer = versions(turn.stages, happened.service)
    _retire(turn, older if happened.everything else newer, "")


def is_on_trial(turn: Turn, stage: Stage) -> bool:
    """Whether there is an older version that goes on without it."""
    known = versions(turn.stages, stage.of) if stage.of else []
    return len(known) > 1 and known[1].name == stage.name


def withdraw(turn: Turn, stage: Stage, cause: str) -> None:
    """The version on trial cannot run: the older one gets all calls."""
    _retire(turn, stage, cause)


def _retire(turn: Turn, stage: Stage, cause: str) -> None:
    turn.change_stage(stage.name, retired=True, drained=True, asked=0, share=0.0)
    (kept,) = versions(turn.stages, stage.of)
    turn.change_stage(kept.name, share=1.0)
    staff(turn, turn.stages[stage.name])
    turn.report(events.VersionRetired(stage=stage.name, service=stage.of, kept=kept.name, cause=cause))
