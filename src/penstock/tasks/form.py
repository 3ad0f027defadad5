"""How a task is called: which arguments it takes, and where among them its ``Context`` stands.

Both ends ask it. Who submits binds arguments to the signature, so that a wrong one is an error there and
then, and not that of a worker an hour later; who runs a job adds the context and builds what annotations
name.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union, get_args, get_origin

from penstock.errors import UserError, WiringError
from penstock.message.shape import Converter, converter
from penstock.pipeline.nearest import nearest
from penstock.pipeline.signature import (
    Parameter,
    context_of,
    inspected,
    is_async_code,
    output_of,
    parameters_of,
)

PLAIN = (bool, int, float, str, bytes, type(None))
"""What an argument that is one of these must be one of, if its annotation names nothing else."""

Call = Tuple[List[Any], Dict[str, Any]]
"""Arguments by position and by name."""


class Form:
    """Of one function, or of the instances of one class.

    Attributes:
        is_class: An instance is made first, without arguments, once per worker; that is called.
        is_async: What a call gives is to be awaited.
        context: The parameter that takes the ``Context``; ``None``: there is none.
        result: What its annotation says of the result; ``Any``: nothing.
        names: Of its parameters, but for the context.
    """

    def __init__(self, target: Callable[..., Any]) -> None:
        """Read it.

        Raises:
            WiringError: it cannot be a task: it yields, or cannot be made without arguments.
        """
        self.is_class = isinstance(target, type)
        function = _called(target)
        yields, self.result = output_of(function)
        if yields:
            raise WiringError("yields, and a job has one result; return it, or make it a @source or @stage")
        self.is_async = is_async_code(function)
        found = parameters_of(function)[self.is_class :]
        self.context = context_of(found)
        self._given = [each for each in found if each.name != self.context]
        self._place = next((at for at, each in enumerate(found) if _is_placed(each, self.context)), None)
        self._built: Optional[Dict[str, Converter]] = None
        whole = inspected(function)
        named = [
            each for each in list(whole.parameters.values())[self.is_class :] if each.name != self.context
        ]
        self._signature = whole.replace(parameters=named)
        self.names = [each.name for each in named]
        self._nameless = sum(each.kind is inspect.Parameter.POSITIONAL_ONLY for each in named)
        self._takes_more = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in named)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        """The arguments of one call, which the code takes; by name, those that have one: so they can be
        shown, and changed for another try.

        Raises:
            UserError: it does not; the end of a sentence that says which, and what it takes.
        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise UserError(f"{self._stranger(kwargs) or error}; it takes {self.shown}") from None
        for each in self._given:
            if each.name in bound.arguments and not _fits(bound.arguments[each.name], each.type):
                value = bound.arguments[each.name]
                raise UserError(f"{each.name}={value!r} is not {_article(each.type)}; it takes {self.shown}")
        if self._takes_more:
            return list(args), dict(kwargs)
        given = bound.args
        named = dict(zip(self.names[self._nameless :], given[self._nameless :]))
        return list(given[: self._nameless]), {**named, **bound.kwargs}

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Dict[str, Any]:
        """All arguments of a call by their names, defaults included."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def type_of(self, name: str) -> Any:
        """What the annotation of a parameter says; ``Any``: nothing, or there is no such one."""
        return next((each.type for each in self._given if each.name == name), Any)

    @property
    def shown(self) -> str:
        """``(model: str, epochs: int = 10)``."""
        shown = [
            each.replace(annotation=_Words(each.annotation)) if isinstance(each.annotation, str) else each
            for each in self._signature.parameters.values()
        ]
        return str(inspect.Signature(shown))

    def received(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any) -> Call:
        """The arguments with which the code itself is called: dataclasses and the like are built, and the
        context is where it stands.

        Raises:
            ValueError: one does not fit its annotation.
            TypeError: they do not fit the signature, which has changed since they were submitted.
        """
        bound = self._signature.bind(*args, **kwargs)
        for name, build in self._converters().items():
            if name in bound.arguments:
                bound.arguments[name] = build(bound.arguments[name])
        positional, named = list(bound.args), dict(bound.kwargs)
        if self.context is None:
            return positional, named
        if self._place is not None and self._place <= len(positional):
            positional.insert(self._place, context)
        else:
            named[self.context] = context
        return positional, named

    def _converters(self) -> Dict[str, Converter]:
        """Made when first asked for: who submits needs none."""
        if self._built is None:
            found = {each.name: converter(each.type) for each in self._given if not _is_variadic(each)}
            self._built = {name: build for name, build in found.items() if build is not None}
        return self._built

    def _stranger(self, kwargs: Mapping[str, Any]) -> str:
        """What is to be said of the first name that is no parameter's; empty: all are."""
        stranger = next((name for name in kwargs if name not in self._signature.parameters), None)
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in self._given)
        if stranger is None or takes_any:
            return ""
        return f"got an unexpected keyword argument {stranger!r}{nearest(stranger, self.names)}"


class _Words(str):
    """An annotation that is text in the code, shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _called(target: Callable[..., Any]) -> Callable[..., Any]:
    """What is called with the arguments.

    Raises:
        WiringError: a class whose instances cannot be, or that cannot be made.
    """
    if not isinstance(target, type):
        return target
    if not any("__call__" in vars(each) for each in target.__mro__):
        raise WiringError("has no __call__, which would get the arguments of a job; write one")
    for each in parameters_of(target):
        if each.required:
            raise WiringError(
                f"needs {each.name!r} to be made, but is made without arguments; get that in setup()"
            )
    call: Callable[..., Any] = target.__call__
    return call


def _is_placed(parameter: Parameter, context: Optional[str]) -> bool:
    return parameter.name == context and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def _is_variadic(parameter: Parameter) -> bool:
    return parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _fits(value: Any, annotation: Any) -> bool:
    """Whether ``value`` may be passed for ``annotation``. Only what is plainly wrong does not fit: text for
    a number. Whatever is not as plain is the code's affair."""
    wanted = _plain(annotation)
    if not wanted or type(value) not in PLAIN:
        return True
    return isinstance(value, wanted) or (float in wanted and type(value) is int)


def _plain(annotation: Any) -> Tuple[type, ...]:
    """The plain types an annotation is made of; none: it names others, too."""
    parts = (
        get_args(annotation) if get_origin(annotation) is Union or _is_union(annotation) else (annotation,)
    )
    return tuple(parts) if parts and all(part in PLAIN for part in parts) else ()


def _is_union(annotation: Any) -> bool:
    """``int | None``, which has a type of its own from Python 3.10 on."""
    return type(annotation).__name__ == "UnionType"


def _article(annotation: Any) -> str:
    name = getattr(annotation, "__name__", None) if isinstance(annotation, type) else None
    if not name:
        return str(annotation).replace("typing.", "")
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
