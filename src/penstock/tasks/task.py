"""``@task``: a function whose calls can be handed over, to be made by a worker, on disk until they are done.

The object stays what it was: calling it calls the function. ``submit`` takes the function's own arguments and
nothing else; what is to be different for one submission is said before, by ``options``. (A ``delay=`` of
``submit`` would be taken from every function that has such a parameter, silently.)
"""

from __future__ import annotations

import os
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generic,
    Iterable,
    Mapping,
    Optional,
    Protocol,
    Sequence,
    Type,
    TypeVar,
    overload,
)

from penstock.errors import UserError, WiringError
from penstock.pipeline import reference as code
from penstock.pipeline.flow import Awaited
from penstock.pipeline.place import Place, caller
from penstock.tasks import connect, freight, unique
from penstock.tasks.call import Call, Part, part
from penstock.tasks.form import Call as Arguments
from penstock.tasks.form import Form
from penstock.tasks.handle import Job
from penstock.tasks.job import NewJob, Rules
from penstock.tasks.jobs import Jobs
from penstock.tasks.options import DECLARED, SUBMITTED, Options
from penstock.tasks.schedule import Scheduled, scheduled

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from penstock.pipeline.context import Context
    from penstock.tasks.desk import Desk
    from penstock.tasks.knobs import Knobs, When

    P = ParamSpec("P")
    Q = ParamSpec("Q")
    Given = TypeVar("Given", bound=Context)
else:
    P = TypeVar("P")  # Python 3.9 has no ParamSpec, and only type checkers look at it

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)


class Task(Generic[P, R]):
    """A function or class whose calls can be jobs.

    Attributes:
        target: The function or class; ``None`` when it is named by a string.
        where: ``file:line`` of the definition.
        chosen: Its knobs, checked.
        name: What it is called in the store: as chosen, else the name of its code.
    """

    def __init__(
        self, target: Any, options: Options, where: str, named: Optional[code.Reference] = None
    ) -> None:
        """Check that it can be one.

        Raises:
            WiringError: it cannot.
        """
        self.target = target
        self.chosen = options
        self.where = where
        self._named = named
        self._found = named
        self.name = options.name or (named.name if named else code.name_of(target)).rpartition(".")[2]
        self.form = self._describe()
        if target is not None:
            self.__wrapped__ = target  # help(), inspect.signature() and doctest look through it
            self.__doc__ = target.__doc__

    def _describe(self) -> Optional[Form]:
        if self.target is None:
            return None
        try:
            form = Form(self.target)
            unique.check(self.chosen.unique, form)
        except WiringError as error:
            raise WiringError(f"{self.name!r} {error}", self.where) from None
        self._refuse_needs(form)
        return form

    def _refuse_needs(self, form: Form) -> None:
        """A tick brings no arguments."""
        try:
            if self.chosen.schedule:
                form.bind((), {})
        except UserError as error:
            raise WiringError(
                f"{self.name!r} has a schedule, so it is called without arguments: {error}", self.where
            ) from None

    @property
    def group(self) -> str:
        """Whose workers run it."""
        return self.chosen.group

    @property
    def rules(self) -> Rules:
        """How its jobs are treated."""
        return self.chosen.rules

    @property
    def schedule(self) -> Optional[Scheduled]:
        """When it is called by itself, and how such jobs are treated; ``None``: it never is."""
        found = self.chosen.schedule
        return scheduled(found, self.job(([], {}), 0)) if found else None

    @property
    def reference(self) -> code.Reference:
        """Where a worker finds the code.

        Raises:
            WiringError: no other process could import it.
        """
        if self._found is None:
            try:
                self._found = code.of(self.target)
            except WiringError as error:
                raise WiringError(str(error), self.where) from None
        return self._found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or make an instance of the class.

        Raises:
            WiringError: it is named by a string, so that its code is not imported here.
        """
        if self.target is None:
            raise WiringError(
                f"the code of {self.name!r} is not loaded here; import {self._named} to call it", self.where
            )
        return self.target(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self.name} {self._named or self.target.__qualname__}>"

    # What is handed over ---------------------------------------------------------------------------------

    def options(self, **knobs: Unpack[When]) -> Task[P, R]:
        """The same task with other knobs, for what is submitted by that:
        ``train.options(delay="10m", priority=5).submit(...)``.

        Raises:
            WiringError: no such knob, or not a possible value.
        """
        return self.with_knobs(knobs, caller())

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Hand over a call: it is on disk when this returns.

        The arguments are the function's own, without its ``Context``. They are bound to its signature here,
        and copied: what happens to them later does not matter.

        Returns:
            The job; the one that is there already, where ``unique`` says it is the same.

        Raises:
            UserError: the function does not take these arguments.
            UnsupportedType: one of them cannot travel.
            WiringError: no worker could import the code.
            EnvironmentFault: the store cannot be opened.
            OSError: the disk is full.
        """
        desk, arguments = self.desk(), self.bound(args, kwargs, caller())
        (id,) = desk.submit([self.job(arguments, desk.now())])
        return self.handle(id, desk)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """A call that is not handed over yet, for ``submit_many``.

        Raises:
            UserError: the function does not take these arguments.
        """
        place = caller()
        return Call(self, self.bound(args, kwargs, place), place)

    def partial(self, *args: Any, **kwargs: Any) -> Part[R]:
        """A call that lacks its first argument: in a ``chain`` that is the result of what comes before.

        Raises:
            UserError: the function does not take these arguments behind a first one.
        """
        return part(self, args, kwargs, caller())

    def submit_many(self, calls: Iterable[Call[R]]) -> Jobs[R]:
        """Hand over many at once: ``train.submit_many(train.call(seed=n) for n in range(1000))``.

        All are on disk when this returns, or none is. Much faster than one after the other.

        Raises:
            UserError: a call is of another task.
            UnsupportedType: an argument cannot travel.
            WiringError, EnvironmentFault, OSError: as ``submit``.
        """
        listed = list(calls)
        for each in listed:
            if each.task.name != self.name or each.task.group != self.group:
                raise UserError(f"{each.place}: {self.name}.submit_many takes no calls of {each.task.name}")
        desk = self.desk()
        now = desk.now()
        ids = desk.submit([self.job(each.arguments, now) for each in listed])
        return Jobs([self.handle(id, desk) for id in ids], desk)

    # How -------------------------------------------------------------------------------------------------

    def with_knobs(self, knobs: Mapping[str, Any], place: Place) -> Task[P, R]:
        """``options``, said at ``place``."""
        chosen = self.chosen.with_knobs(knobs, place, SUBMITTED)
        other: Task[P, R] = Task(self.target, chosen, self.where, self._named)
        return other

    def job(self, arguments: Arguments, now: int) -> NewJob:
        """The record of a call that is submitted at ``now``, in milliseconds since 1970."""
        chosen = self.chosen
        return NewJob(
            group=self.group,
            task=self.name,
            args=freight.packed(list(arguments)),
            priority=chosen.priority,
            run_at=chosen.run_at(now),
            unique=unique.key(self.name, chosen.unique, self.form, *arguments),
            rules=chosen.rules,
        )

    def handle(self, id: str, desk: Desk) -> Job[R]:
        """A job of it."""
        return Job(id, desk, self.form.result if self.form else Any)

    def desk(self) -> Desk:
        """Where its jobs are kept, in the home of the app it belongs to; that knows of it then."""
        found = connect.desk(self.reference.root or os.getcwd())
        found.declare(self)
        return found

    def bound(self, args: Sequence[Any], kwargs: Mapping[str, Any], place: Place) -> Arguments:
        """The arguments of a call that is said at ``place``.

        Raises:
            UserError: the function does not take them.
        """
        if self.form is None:
            return list(args), dict(kwargs)
        try:
            return self.form.bind(args, kwargs)
        except UserError as error:
            raise UserError(f"{place}: {self.name}: {error}") from None


class Runs(Protocol[P, R_co]):
    """An instance of a class that is a task."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Do one job."""
        ...


if TYPE_CHECKING:
    # For type checkers only: the call of a decorated function keeps the function's own signature.

    class TaskFunction(Task[P, R], Generic[P, R, Q, S_co]):
        """A ``Task`` that is called like its function."""

        def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> S_co: ...  # noqa: D102


class TaskDecorator:
    """Makes a ``Task`` of a function (async or not), or of a class that has ``__call__``.

    ``@task``, ``@task(group="gpu", timeout="2h")`` or ``task("train.py:train", group="gpu")``, relative to
    the file. A class is made once per worker, without arguments; its ``setup`` is called once, and it is
    called with the arguments of each job.
    """

    def __init__(self, options: Optional[Options] = None) -> None:
        self._options = options or Options()

    # A class is also a function that makes instances: which it is meant to be is decided by the order.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Runs[Concatenate[Given, P], Awaited[R]]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Runs[Concatenate[Given, P], R]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Runs[P, Awaited[R]]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Runs[P, R]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[Given, P], Awaited[R]], /
    ) -> TaskFunction[P, R, Concatenate[Given, P], Awaited[R]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[Given, P], R], /
    ) -> TaskFunction[P, R, Concatenate[Given, P], R]: ...
    @overload
    def __call__(self, target: Callable[P, Awaited[R]], /) -> TaskFunction[P, R, P, Awaited[R]]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> TaskFunction[P, R, P, R]: ...
    @overload
    def __call__(self, target: str, /, **knobs: Unpack[Knobs]) -> Task[..., Any]: ...
    @overload
    def __call__(self, /, **knobs: Unpack[Knobs]) -> TaskDecorator: ...
    def __call__(self, target: Any = None, /, **knobs: Any) -> Any:
        """Decorate.

        Raises:
            WiringError: a knob that does not exist or cannot have this value; no such file; code that cannot
                be a task.
        """
        place = caller()
        options = self._options.with_knobs(knobs, place, DECLARED)
        if target is None:
            return TaskDecorator(options)
        if isinstance(target, str):
            return Task(None, options, str(place), _parsed(target, place))
        if isinstance(target, Task) or not callable(target):
            raise WiringError(f"@task stands above a function or a class, not {target!r}", str(place))
        return Task(target, options, str(place))


def _parsed(text: str, place: Place) -> code.Reference:
    try:
        return code.parse(text, place.file)
    except WiringError as error:
        raise WiringError(str(error), str(place)) from None


task = TaskDecorator()
