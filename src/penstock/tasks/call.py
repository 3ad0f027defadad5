"""Calls of tasks that are not handed over yet, whole ones and such that lack their first argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Mapping, Sequence, TypeVar

from penstock.pipeline.place import Place

if TYPE_CHECKING:
    from penstock.tasks.form import Call as Arguments
    from penstock.tasks.task import Task

R_co = TypeVar("R_co", covariant=True)


class Call(Generic[R_co]):
    """A call of a task that is not handed over yet: ``train.call(model="resnet50")``.

    Attributes:
        task: What is called.
        arguments: By position and by name.
        place: Where it was said.
    """

    def __init__(self, task: Task[Any, R_co], arguments: Arguments, place: Place) -> None:
        self.task = task
        self.arguments = arguments
        self.place = place

    def __repr__(self) -> str:
        args, kwargs = self.arguments
        shown = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        return f"<call {self.task.name}({', '.join(shown)})>"


class Part(Call[R_co]):
    """A call that lacks its first argument: ``train.partial(epochs=3)``.

    Attributes:
        first: The parameter that takes it; empty: it is passed by position.
    """

    def __init__(self, task: Task[Any, R_co], arguments: Arguments, place: Place, first: str) -> None:
        super().__init__(task, arguments, place)
        self.first = first


class _Result:
    """In place of the argument that is not known yet."""

    def __repr__(self) -> str:
        return "<the result before>"


RESULT = _Result()


def part(task: Task[Any, R_co], args: Sequence[Any], kwargs: Mapping[str, Any], place: Place) -> Part[R_co]:
    """A call of ``task`` with these arguments behind a first one, said at ``place``.

    Raises:
        UserError: the function does not take them.
    """
    positional, named = task.bound((RESULT, *args), kwargs, place)
    first = next((name for name, value in named.items() if value is RESULT), "")
    rest = [value for value in positional if value is not RESULT]
    known = {name: value for name, value in named.items() if value is not RESULT}
    return Part(task, (rest, known), place, first)
