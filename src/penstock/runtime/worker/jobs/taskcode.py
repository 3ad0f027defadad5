"""In the worker of a group: the code of one task, loaded, behind one way of calling it."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Mapping, Sequence

from penstock.pipeline.reference import Reference, load
from penstock.pipeline.signature import context_of, parameters_of
from penstock.tasks.context import JobContext
from penstock.tasks.form import Form

Complete = Callable[[Awaitable[Any]], Any]


class Unusable(Exception):
    """The job cannot be run here, now or later: no such task, or arguments that do not fit it."""


class TaskCode:
    """A function, or the one instance of a class that this process has."""

    def __init__(self, reference: Reference, complete: Complete) -> None:
        """Import it. ``complete`` runs what is to be awaited.

        Raises:
            WiringError: it is not there, or cannot be a task.
            EnvironmentFault: it needs a package that is not installed here.
        """
        found = load(reference)
        self._object = self._target = getattr(found, "target", found)
        self._form: Form = getattr(found, "form", None) or Form(self._target)
        self._complete = complete

    def setup(self, context: JobContext) -> None:
        """Make the instance, if it is a class, and let it set itself up."""
        if self._form.is_class:
            self._object = self._target()
            self._optional("setup", context)

    def teardown(self, context: JobContext) -> None:
        """Let the instance clean up."""
        if self._form.is_class and self._object is not self._target:
            self._optional("teardown", context)

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: JobContext) -> Any:
        """What it returns.

        Raises:
            Unusable: the arguments do not fit.
        """
        try:
            positional, named = self._form.received(args, kwargs, context)
        except (TypeError, ValueError) as error:
            raise Unusable(f"its arguments do not fit: {error}") from None
        answer = self._object(*positional, **named)
        return self._complete(answer) if self._form.is_async else answer

    def _optional(self, method: str, context: JobContext) -> None:
        function = getattr(self._object, method, None)
        if function is not None:
            name = context_of(parameters_of(function))
            answer = function(**{name: context} if name else {})
            if hasattr(answer, "__await__"):
                self._complete(answer)
