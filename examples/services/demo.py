"""Call a model beside a pipeline that calls it, look at how it does, and put a better one in its place.

    python demo.py

Ends with exit code 0 only if the newer version is better, no call was lost and nothing was either.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean as mean

import spots

import penstock

HERE = Path(__file__).parent
PENSTOCK = [sys.executable, "-m", "penstock"]
SOME = 200
"""Pictures and values of each look."""
os.chdir(HERE)


def main() -> None:
    """The story."""
    with running() as run:
        say("call the model from this script")
        print(f"  {SOME} answers, off by {asked():.2f} pixels")

        say("listen to what the pipeline publishes")
        before = published()
        print(f"  {SOME} values, off by {before:.2f} pixels")

        say("deploy a newer version, for a fifth of the calls")
        command("deploy", "locate=newer.py:locate", "--share", "20%")
        command("wait", "--for", "ready")
        older, newer = compared()
        print(f"  {older['version']}: {older['share']:.0%}   {newer['version']}: {newer['share']:.0%}")
        assert older["failed"] == newer["failed"] == 0

        say("it is to have all calls")
        command("deploy", "locate", "--all")
        after = published()
        print(f"  the pipeline is off by {after:.2f} pixels, and this script by {asked():.2f}")
        assert after < before / 2

        command("drain")
        print(*(line for line in run.communicate(timeout=60)[0].splitlines() if " in, " in line))
        assert run.returncode == 0


@contextmanager
def running() -> Iterator[subprocess.Popen[str]]:
    """The pipeline, ready; ended in any case."""
    run = subprocess.Popen(
        [*PENSTOCK, "run", "app.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        command("wait", "--for", "ready", "--timeout", "60s")
        yield run
    finally:
        run.terminate()
        run.wait()


def asked() -> float:
    """By how much the model is wrong, asked from here; as many calls at once as it has room for."""
    locate = penstock.connect_service("spots", "locate")
    pictures = [spots.picture(10**6 + number) for number in range(SOME)]
    found = locate.map(each.image for each in pictures)
    return mean(spots.miss(at, each.truth) for at, each in zip(found, pictures, strict=True))


def published() -> float:
    """By how much it is wrong in the pipeline."""
    with penstock.subscribe("spots.miss", pipeline="spots") as messages:
        return mean(message.value for message in itertools.islice(messages, SOME))


def compared() -> list[dict[str, float]]:
    """Both versions side by side, once the newer one has had some calls."""
    while True:
        (service,) = json.loads(command("deploy", "--json"))["services"]
        older, newer = service["versions"]
        if newer["calls"] >= SOME / 10:
            return [older, newer]


def command(*words: str) -> str:
    """What ``penstock`` with these words says."""
    return subprocess.run([*PENSTOCK, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def say(what: str) -> None:
    """A heading."""
    print(f"\n{what}", flush=True)


if __name__ == "__main__":
    main()
