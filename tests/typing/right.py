"""Wiring as people write it: mypy --strict and pyright must accept every line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

import penstock
from penstock import (
    Context,
    Flow,
    JobContext,
    Pipeline,
    Sink,
    Source,
    Stage,
    join,
    route,
    session,
    sink,
    sliding,
    source,
    stage,
    task,
    tumbling,
)
from penstock.patterns import Puller, Pusher, Replier, Requester, Subscriber, aio

Image = npt.NDArray[np.float32]


@dataclass
class Box:
    """What a detector finds."""

    x: int


# ---------------------------------------------------------------- functions


@source
def camera() -> Iterator[Image]:
    yield np.zeros((4, 4), np.float32)


@source(max_restarts=3, ports=("broken",))
def patient(ctx: Context) -> Iterator[Image]:
    while not ctx.stopping:
        yield np.zeros((4, 4), np.float32)


@stage
def normalise(image: Image) -> Image:
    return image + image


@stage(
    replicas=2, window=8, timeout="30s", max_failures=3, start_timeout=timedelta(minutes=1), ports=("odd",)
)
def detect(image: Image, ctx: Context) -> Optional[Box]:
    return Box(1) if ctx.attempt else None


@stage(variables={"OMP_NUM_THREADS": "1"}, interpreter="env/bin/python")
def tiles(image: Image, *, ctx: Context) -> Iterator[Image]:
    yield image


@stage
def measure(image: Image) -> float:
    return float(image.sum())


@stage
def either(image: Image) -> Union[Box, float, None]:
    return None


@stage
def loose(anything: Any) -> Any:
    return anything


@sink
def save(box: Box) -> None: ...


@sink(name="report")
def show(value: Union[Box, float]) -> None: ...


@sink
def discard(image: Image, ctx: Context) -> None: ...


# -------------------------------------------------- many items in one call


@stage(batch=32, batch_wait="20ms", replicas=2)
def find_all(images: list[Image], ctx: Context) -> list[Box]:
    return [Box(1) for _ in images]


@stage(batch=32, pad=0)
def brighten(images: Image) -> Image:
    return images + 1


@stage(batch=4)
def some(images: Image) -> list[Optional[Box]]:
    return [None for _ in images]


class Encode:
    """Not decorated: mypy would take the list of a decorated class for what is on the wire."""

    def __call__(self, boxes: list[Box]) -> Image:
        return np.zeros((len(boxes), 4), np.float32)


@sink(batch=100)
def save_all(boxes: list[Box]) -> None: ...


@sink(batch=8)
class TrainAll:
    def __call__(self, images: Image) -> None: ...


encode = stage(batch=4)(Encode)


# --------------------------------------------------- several items in hand


@source
async def listen(ctx: Context) -> AsyncIterator[Image]:
    yield np.zeros((4, 4), np.float32)


@stage(concurrency=16, timeout="5s")
async def fetch(image: Image, ctx: Context) -> Optional[Box]:
    return Box(1)


@stage
async def crops(image: Image) -> AsyncIterator[Image]:
    yield image


@stage(threads=4)
def shrink(image: Image) -> Image:
    return image


@sink(concurrency=4)
async def upload(box: Box) -> None: ...


@stage(concurrency=4)
class Ask:
    async def setup(self, ctx: Context) -> None: ...

    async def __call__(self, image: Image) -> Box:
        return Box(1)


@stage
class Split:
    async def __call__(self, image: Image) -> AsyncIterator[Image]:
        yield image


@sink
class Post:
    async def __call__(self, box: Box) -> None: ...


# ------------------------------------------------------------------ classes


@source
class Folder:
    def setup(self) -> None: ...

    def __call__(self) -> Iterator[Image]:
        yield np.zeros((4, 4), np.float32)


@stage(replicas=2)
class Enhance:
    def __init__(self, strength: float = 0.5) -> None:
        self.strength = strength

    def setup(self, ctx: Context) -> None: ...

    def __call__(self, image: Image, ctx: Context) -> Image:
        return image

    def teardown(self) -> None: ...


@stage
class Find:
    def __call__(self, image: Image) -> Iterator[Box]:
        yield Box(1)


@sink
class Train:
    def __call__(self, image: Image) -> None: ...


class Plain:
    """Not decorated: what `stage(Plain)` makes is typed by mypy, too."""

    def __call__(self, image: Image) -> Box:
        return Box(1)


plain = stage(Plain)
folder = source(Folder)


# ------------------------------------------------------------ small steps


def bright(image: Image) -> bool:
    return True


def half(image: Image, ctx: Context) -> Image:
    return image


def maybe_box(image: Image) -> Optional[Box]:
    return None


def halves(image: Image) -> list[Image]:
    return [image, image]


def boxes(image: Image) -> Iterator[Box]:
    yield Box(1)


to_box = penstock.map(Plain, name="to_box", fuse=False)
fused = normalise.with_options(fuse=True)


# ----------------------------------------------------------------- by name

clean = stage("other.py:clean", replicas=2)
ticks = source("other.py:ticks")
store = sink("other.py:store")


# ------------------------------------------------------------------ wiring


def brightness(image: Image) -> int:
    return 0


def loose_one(anything: Any) -> Any:
    return anything


def by_box(box: Box) -> Stage[Any, Any]:
    return loose


Pipeline("chain", camera >> normalise >> detect >> save)
Pipeline("many", patient >> tiles >> measure >> show, patient["broken"] >> save)
Pipeline("copies", camera >> (normalise >> discard, detect >> save, measure >> show))
Pipeline("merged", (camera, patient) >> normalise >> discard)
Pipeline("both", camera >> (detect, measure) >> show)
Pipeline("union", camera >> either >> show)
Pipeline("routed", camera >> route(normalise, tiles, by=brightness) >> discard)
Pipeline("routed", camera >> route(detect, measure, by="kind") >> show)
Pipeline("routed", camera >> plain >> route(save, loose >> show, by=by_box))
Pipeline("ports", camera >> detect >> save, detect["odd"] >> show, allow_pickle=True)
Pipeline("strings", ticks >> clean >> store, camera >> clean >> save)
Pipeline("classes", camera >> Enhance >> Find >> save)
Pipeline("classes", folder >> (Enhance, normalise) >> Train)
Pipeline("classes", Folder >> normalise >> Train, (Enhance, normalise) >> plain)
Pipeline("loose", camera >> loose >> save)
Pipeline("twice", camera >> normalise >> normalise.named("again") >> discard.with_options(replicas=2))

Pipeline("batches", camera >> brighten >> find_all >> save, find_all >> save_all, camera >> some >> save_all)
Pipeline("batches", camera >> find_all >> encode >> normalise >> TrainAll, brighten.with_options(batch=8))

Pipeline("small", camera >> penstock.map(half) >> penstock.filter(bright) >> detect >> save)
Pipeline("small", camera >> penstock.split(halves) >> fused >> penstock.split(boxes) >> save)
Pipeline(
    "small", camera >> penstock.map(maybe_box) >> save, camera >> penstock.filter(bright) >> to_box >> save
)
Pipeline("small", ticks >> penstock.map("other.py:half") >> store, camera >> penstock.map(loose_one) >> save)
Pipeline("small", (camera, patient) >> penstock.map(half) >> (discard, penstock.filter(bright) >> discard))
Pipeline("async", listen >> crops >> shrink >> fetch >> upload, fetch >> save, crops >> Split >> Ask >> Post)
Pipeline("async", camera >> fetch >> show, listen >> normalise >> detect >> upload)


@stage
def mean(boxes: list[Box]) -> float:
    return sum(box.x for box in boxes) / len(boxes)


@stage
def pair(found: tuple[Box, float]) -> float:
    return found[0].x + found[1]


@stage
def maybe_pair(found: tuple[Box, Optional[float]]) -> float:
    return found[0].x + (found[1] or 0.0)


@stage
def either_pair(found: tuple[Optional[Box], Optional[float]]) -> float:
    return 0.0


@stage
def triple(found: tuple[Box, float, Image]) -> float:
    return found[1]


Pipeline("windows", camera >> detect >> tumbling(count=10) >> mean >> show)
Pipeline("windows", camera >> detect >> sliding(time="10s", step="1s", by="x", name="w") >> mean >> show)
Pipeline("windows", detect >> session(gap="30s").with_options(max_restarts=3) >> mean, camera >> detect)
Pipeline("windows", (camera, patient) >> tumbling(count=10, time="5s") >> loose >> show)
Pipeline("joins", join(camera >> detect, camera >> measure, on="x", within="1s") >> pair >> show)
Pipeline("joins", join(camera >> detect, measure, on="x", within="1s", how="left") >> maybe_pair >> show)
Pipeline("joins", join(camera >> detect, measure, on="x", within="1s", how="outer") >> either_pair >> show)
Pipeline("joins", join(detect, measure, camera, on="x", within=timedelta(seconds=1)) >> triple >> show)
windows: Flow[Any, list[Box]] = camera >> detect >> tumbling(count=10)

built = Pipeline("built")
built.connect(camera, detect)
built.connect(camera, Enhance)
built.connect(detect, save)
built.connect(detect, show, port="odd")
code: int = built.run()


# ------------------------------- a part of a pipeline has a type

front: Flow[Any, Optional[Box]] = camera >> detect
first: Source[Image] = camera
middle: Stage[Image, Optional[Box]] = detect
last: Sink[Box] = save


# ------------------------------------------ calls stay plain calls

shape: tuple[int, ...] = normalise(np.zeros((4, 4), np.float32)).shape
found: Optional[Box] = detect(np.zeros((4, 4), np.float32), Context(attempt=2))
images: Iterator[Image] = camera()


# ---------------------------------------------------------------- jobs


@task
def weigh(path: str, depth: int = 1) -> float:
    return 0.5


@task(group="gpu", timeout="2h", retry_on=[OSError, "oom"], unique="{model}")
def fit(ctx: Context, model: str, *, epochs: int = 10) -> Box:
    return Box(1)


@task
async def download(url: str) -> bytes:
    return b""


@task(unique=lambda *args: "one")
async def crawl(ctx: Context, url: str) -> list[str]:
    return [url]


class Told(Context):
    """A context that knows more."""


@task
def told(ctx: Told, model: str) -> float:
    return 0.5


@task
def saved(ctx: JobContext, model: str) -> int:
    ctx.checkpoint(f"{ctx.out_dir}/{model}.ckpt", step=3)
    return 0 if ctx.cancelled or ctx.resume is None else ctx.resume.step


class Infer:
    def __call__(self, text: str, best: int = 1) -> Box:
        return Box(best)


depth: float = weigh("a") + weigh.submit("a", depth=2).result()
went_on: int = saved.submit(model="vgg").result()
fitted: Box = fit.submit(model="vgg", epochs=3).result("30s")
direct: Box = fit(Context(), "vgg")
more: float = told.submit("vgg").result() + told(Told(), "vgg")
later: Box = fit.options(delay="10m", priority=2).submit("vgg").result()
downloads = download.submit_many(download.call(url) for url in ("a", "b"))
texts_of: list[bytes] = downloads.results("1m")
soonest: bytes = next(downloads.as_completed()).result()
both: list[float] = penstock.group([weigh.call("a"), told.call("vgg")]).submit().results()
chained: float = penstock.chain(download.call("a"), weigh.partial(depth=2)).submit().result()
joined: Box = (
    penstock.chain(fit, penstock.group([told.partial()]), fit.partial(epochs=1)).submit("vgg").result()
)
boxed: Box = task(Infer).submit("hello", best=2).result()
unchecked = task("train.py:train", group="gpu").submit(1, anything="goes")


async def waits() -> Box:
    found: list[str] = await crawl.submit("a")
    page: bytes = await download("a")
    return await fit.submit("vgg") if found and page else Box(0)


# ---------------------------------------------------------------- plain sockets


def edges(puller: Puller[Box]) -> list[int]:
    return [box.x for box in puller]


async def plain_sockets() -> None:
    with Puller("inproc://boxes", of=Box, timeout=1.0) as puller, Pusher("inproc://boxes") as pusher:
        pusher.send({"x": 1})
        edges(puller)
    with (
        Requester("inproc://ask", of=Box, retries=2) as requester,
        Replier("inproc://ask", of=Box) as replier,
    ):
        print(requester.request("anything").x)
        replier.serve(lambda box: box.x)
    with Subscriber("inproc://told", of=list[int], topics="a.*") as subscriber:
        topic, numbers = subscriber.receive()
        print(topic.upper(), sum(numbers))
    with Subscriber("inproc://told") as untyped, Puller("inproc://either", of=int | None) as either:
        print(untyped.receive().value.whatever, either.receive())
    async with aio.Router("inproc://peers", of=Box) as router:
        async for peer, box in router:
            await router.send(peer, box.x)
