"""The fixture `running` and its marker, in a project of somebody else's."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

APP = """
import time
from penstock import Pipeline, sink, source

@source
def numbers():
    yield from range(10)
    while True:
        time.sleep(0.01)

@sink
def save(number: int) -> None:
    print("saved", number)

pipeline = Pipeline("plain", numbers >> save)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    pytester.makeini("[pytest]\naddopts = --strict-markers\npythonpath = .")
    return pytester


def test_the_fixture_ends_what_it_has_started(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_app="""
        from pathlib import Path
        from app import pipeline

        started = []

        def test_two_at_once(running, tmp_path):
            for run in (running(pipeline), running(pipeline)):
                run.wait_idle(entered=10)
                assert run.totals.through == 10
                assert Path(run.state_dir).parent == tmp_path
                started.extend(each["pid"] for one in run.ps()["stages"] for each in one["replicas"])

        def test_they_are_gone():
            assert len(started) == 4
            assert not any(Path(f"/proc/{pid}").exists() for pid in started)
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_failed_test_has_the_log_of_the_pipeline(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_app="""
        import pytest
        from app import pipeline

        @pytest.mark.penstock(timeout="1s")
        def test_in_vain(running):
            run = running(pipeline)
            run.wait_ready("60s")
            run.wait_idle(entered=11)
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TimedOut: plain did not settle all*within 1 s*", "*numbers*1/1 ready*"])


def test_a_marker_that_says_something_else_is_refused(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_app="""
        import pytest
        from app import pipeline

        @pytest.mark.penstock(tiemout="1s")
        def test_misspelt(running):
            running(pipeline)
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*TypeError: @pytest.mark.penstock takes one thing, timeout="30s"*'])


def test_people_who_test_something_else_do_not_load_penstock(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_other="""
        import sys

        def test_light():
            loaded = [name for name in sys.modules if name.startswith("penstock.")]
            assert not [name for name in loaded if "runtime" in name or "pipeline" in name], loaded
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)
