"""What the end of an attempt was: its worker's word, or its death."""

from __future__ import annotations

import signal

from penstock.runtime.jobs import verdicts
from penstock.runtime.jobs.verdicts import Ending
from penstock.runtime.jobwire import Worked
from penstock.runtime.policy.death import Death
from penstock.tasks.settle import Done, Ended, Failed, Returned


def test_a_worker_that_lives_is_believed() -> None:
    assert verdicts.of_word(Worked("a", 1, "done", result=b"r")) == Done(b"r")
    assert verdicts.of_word(Worked("a", 1, "returned", begun=False)) == Returned(begun=False)
    failed = verdicts.of_word(Worked("a", 1, "failed", cause="oom", error="e", kinds=["E"], after=2.0))
    assert failed == Failed("oom", "e", kinds=["E"], after=2.0)


def test_a_death_that_nobody_wanted_is_a_crash_or_a_want_of_memory() -> None:
    killed = Death(exit=-signal.SIGSEGV, report="where it was")
    assert verdicts.of_death(killed, None, None, told=False) == Failed(
        "crash", "killed (SIGSEGV)", traceback="where it was"
    )
    short = Death(exit=-signal.SIGKILL, oom=True)
    assert verdicts.of_death(short, None, None, told=False) == Failed("oom", "out of memory")


def test_who_was_told_to_stop_gives_back_what_it_had() -> None:
    assert isinstance(verdicts.of_death(Death(exit=0), None, None, told=True), Returned)


def test_what_we_have_ended_has_come_to_what_we_wanted_however_its_process_went() -> None:
    for death in (Death(exit=0), Death(exit=-signal.SIGKILL, oom=True)):
        assert verdicts.of_death(death, Ending.CANCEL, None, told=True) == Ended()
        timed_out = verdicts.of_death(death, Ending.TIMEOUT, 2.5, told=False)
        assert timed_out == Failed("timeout", "timed out after 2.5 s")
        assert not verdicts.is_killer(Ending.TIMEOUT)
    assert verdicts.is_killer(None)
