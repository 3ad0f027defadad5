"""What a stage's code takes and gives, read from its parameters and annotations.

The worker asks once, before the first item; the wiring asks too, so that code which cannot be a stage is
refused before anything starts. Annotations may be strings, may name what is imported for type checkers
only, may be written for a newer Python: what cannot be resolved counts as ``Any`` and is never an error.
"""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from penstock.errors import WiringError
from penstock.pipeline.context import Context

MANY = (collections.abc.Iterator, collections.abc.Generator)
"""Return annotations that mean: each of these is one output. (A list is one output: the list.)"""

MANY_ASYNC = (collections.abc.AsyncIterator, collections.abc.AsyncGenerator)
"""The same of code that is iterated over with ``async for``."""

CONTEXTS = (Context.__name__, "JobContext")
"""What the context is called: that of jobs has more to it."""

LISTS = (list, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)
"""Annotations of code that takes its items in a list."""


class Signature(NamedTuple):
    """How to call a function or class as a source, stage or sink."""

    is_class: bool
    """Make an instance first, without arguments; it is called with each item."""
    is_generator: bool
    """A call gives an iterator over outputs: it yields, or says ``-> Iterator[...]``."""
    is_async: bool
    """What a call gives is to be awaited; of a generator, iterated over with ``async for``."""
    item: Optional[str]
    """The parameter that takes the item, passed by position; ``None``: it takes none, like a source."""
    item_optional: bool
    """It has a default, so the code can be called without an item."""
    item_type: Any
    """What the item is decoded to; ``Any``: as it comes."""
    output_type: Any
    """What one output is; ``Any`` when not said."""
    call_context: Optional[str]
    """The parameter of the function (or ``__call__``) that takes the ``Context``, passed by name."""
    resumes: bool = False
    """As a source it can go on from a position, which it takes as ``start``, by name."""
    setup_context: Optional[str] = None
    """The same of ``setup``."""
    teardown_context: Optional[str] = None
    """The same of ``teardown``."""
    setup_host_context: Optional[str] = None
    """The same of ``setup_host``."""
    takes_array: bool = False
    """The item is annotated as a NumPy array."""

    @property
    def asks_context(self) -> bool:
        """Whether any of it takes the ``Context``, with which it could emit."""
        hooks = (self.call_context, self.setup_context, self.teardown_context, self.setup_host_context)
        return any(hook is not None for hook in hooks)

    @property
    def element_type(self) -> Any:
        """What each item of a batch is decoded to, where the code takes a list of them."""
        return (typing.get_args(self.item_type) or (Any,))[0] if _is_list(self.item_type) else Any


class Parameter(NamedTuple):
    """One parameter, its annotation resolved."""

    name: str
    kind: Any
    required: bool
    type: Any
    is_context: bool
    is_array: bool


def describe(target: Callable[..., Any]) -> Signature:
    """How to call ``target``, a function or a class.

    Raises:
        WiringError: it cannot be called with an item and a ``Context`` alone.
    """
    if not isinstance(target, type):
        return _describe_call(target, target, parameters_of(target))
    _refuse_class(target)
    return _describe_call(
        target,
        target.__call__,
        parameters_of(target.__call__)[1:],
        setup_context=_hook_context(target, "setup"),
        teardown_context=_hook_context(target, "teardown"),
        setup_host_context=_hook_context(target, "setup_host"),
    )


def misfit(signature: Signature, kind: str) -> Optional[str]:
    """Why code of this signature cannot be a ``kind``: the end of a sentence; ``None`` when it can."""
    if kind != "source":
        if signature.item is None:
            return "takes no item; give it a parameter for one"
        if kind == "sink" and signature.is_generator:
            return "is a sink, but yields; what it yields would go nowhere: make it a @stage and wire it on"
        return None
    if signature.item == "start" and not signature.item_optional:
        return "is a source, and begins without a position: give `start` a default"
    if signature.item is not None and not signature.item_optional:
        context = f"annotate it `{signature.item}: Context` if that is what it is"
        return f"is a source and makes items, but asks for {signature.item!r}; {context}"
    if not signature.is_generator:
        return "is a source, but yields nothing; use `yield` for each item, or say `-> Iterator[...]`"
    return None


def misfit_batch(signature: Signature, batch: int, *, pad: bool) -> Optional[str]:
    """Why code of this signature cannot take batches: the end of a sentence; ``None`` when it can."""
    if signature.is_generator:
        return (
            f"yields, and with batch={batch} nobody knows from which of its items each output was made;"
            " return a list with one output for each, or say ctx.emit('', value, of=position)"
        )
    if not (signature.takes_array or signature.item_type is Any or _is_list(signature.item_type)):
        name = getattr(signature.item_type, "__name__", None) or str(signature.item_type)
        wanted = f"{signature.item}: list[{name}]"
        return f"takes one {name}, but with batch={batch} it gets a list; write `{wanted}`"
    if pad and not signature.takes_array:
        return f"takes a list, and pad= is for arrays that are stacked; write `{signature.item}: np.ndarray`"
    return None


def misfit_hand(signature: Signature, *, concurrency: int, threads: int, batch: int) -> Optional[str]:
    """Why code of this signature cannot have items in hand like that: the end of a sentence; ``None``: it
    can."""
    if signature.is_async and threads:
        return f"is async, and threads= is for plain code; say concurrency={threads}"
    if signature.is_async and batch:
        return f"is async, and batch= is for plain code; say concurrency={batch}, or write it without async"
    if concurrency and not signature.is_async:
        return (
            "is plain code, and concurrency= is for async code;"
            f" say threads={concurrency} if it frees the GIL, else replicas={concurrency}"
        )
    return None


def _describe_call(
    target: Any, function: Callable[..., Any], parameters: List[Parameter], **hooks: Optional[str]
) -> Signature:
    """Describe the function that is called with each item."""
    item = next((each for each in parameters if not each.is_context and _is_positional(each)), None)
    _refuse_others(target.__name__, parameters, item)
    is_generator, output_type = output_of(function)
    return Signature(
        is_class=isinstance(target, type),
        is_generator=is_generator,
        is_async=is_async_code(function),
        item=item.name if item else None,
        item_optional=item is not None and not item.required,
        item_type=item.type if item else Any,
        takes_array=item is not None and item.is_array,
        output_type=output_type,
        call_context=context_of(parameters),
        resumes=any(_is_start(each) for each in parameters),
        **hooks,
    )


def _hook_context(target: type, hook: str) -> Optional[str]:
    """The name of the context parameter of ``setup`` or ``teardown``."""
    function = getattr(target, hook, None)
    if function is None:
        return None
    parameters = parameters_of(function)[1:]
    _refuse_others(f"{target.__name__}.{hook}", parameters, None)
    return context_of(parameters)


# ----------------------------------------------------------------------------------------- refusals


def _refuse_class(target: type) -> None:
    if not any("__call__" in vars(each) for each in target.__mro__):
        raise WiringError(
            f"the class {target.__name__} has no __call__, which would get each item; write one"
        )
    for each in parameters_of(target):
        if each.required:
            raise WiringError(
                f"{target.__name__}() needs {each.name!r}, but a stage's class is made without arguments;"
                " give it a default, or get what it needs in setup()"
            )


def _refuse_others(name: str, parameters: List[Parameter], item: Optional[Parameter]) -> None:
    """Nothing but the item and one context, in this order, can be passed."""
    for place, each in enumerate(parameters):
        if each.is_context and item is not None and place < parameters.index(item):
            what = "its position" if item.name == "start" else "its item"
            default = " = ..." if item.name == "start" else ""
            raise WiringError(f"{name} must take {what} first: ({item.name}{default}, {each.name}: Context)")
        spare = each is not item and each.name != context_of(parameters)
        if spare and each.required:
            allowed = "an item and a Context" if item else "a Context"
            raise WiringError(
                f"{name} asks for {each.name!r}, but all it can have is {allowed};"
                f" give it a default, or annotate it `{each.name}: Context`"
            )


# --------------------------------------------------------------------------------------- parameters


def parameters_of(function: Callable[..., Any]) -> List[Parameter]:
    """All parameters; what C code does not tell is taken to be one item."""
    try:
        found = inspected(function).parameters.values()
    except ValueError:
        return [Parameter("item", inspect.Parameter.POSITIONAL_ONLY, True, Any, False, False)]
    return [_parameter(each, _names(function)) for each in found]


def inspected(function: Callable[..., Any]) -> inspect.Signature:
    """Its signature, whatever its annotations name.

    Raises:
        ValueError: it is C code that does not tell.
    """
    if sys.version_info >= (3, 14):  # annotations are computed when asked for; a missing name must not raise
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _names(function: Callable[..., Any]) -> Dict[str, Any]:
    """What names in the annotations of ``function`` refer to."""
    return getattr(inspect.unwrap(function), "__globals__", {})


def _parameter(found: inspect.Parameter, names: Dict[str, Any]) -> Parameter:
    annotation = found.annotation
    resolved = _resolve(annotation, names)
    by_name = found.kind in {found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY}
    is_variadic = found.kind in {found.VAR_POSITIONAL, found.VAR_KEYWORD}
    required = found.default is found.empty and not is_variadic
    is_context = by_name and _is_context(annotation, resolved)
    is_array = _is_array(annotation, resolved)
    return Parameter(found.name, found.kind, required, resolved, is_context, is_array)


def _is_positional(parameter: Parameter) -> bool:
    return parameter.kind not in {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


def _is_start(parameter: Parameter) -> bool:
    by_name = parameter.kind in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return parameter.name == "start" and by_name and not parameter.required and not parameter.is_context


def context_of(parameters: List[Parameter]) -> Optional[str]:
    """The one that takes the ``Context``."""
    return next((each.name for each in parameters if each.is_context), None)


def _is_context(annotation: Any, resolved: Any) -> bool:
    """Ours, or the one of jobs; by its name only where the name is imported for type checkers alone."""
    if resolved is Any:
        return _text(annotation).rpartition(".")[2] in CONTEXTS
    parts = set(typing.get_args(resolved))
    kind = next(iter(parts - {type(None)})) if len(parts) == 2 and type(None) in parts else resolved
    return isinstance(kind, type) and issubclass(kind, Context)


def _is_array(annotation: Any, resolved: Any) -> bool:
    """NumPy's by its name, for it need not be installed here; so is what ``NDArray`` stands for."""
    if resolved is Any:
        return _text(annotation).partition("[")[0].rpartition(".")[2] in {"ndarray", "NDArray"}
    found = typing.get_origin(resolved) or resolved
    return getattr(found, "__name__", "") == "ndarray" and getattr(found, "__module__", "") == "numpy"


def _is_list(resolved: Any) -> bool:
    return (typing.get_origin(resolved) or resolved) in LISTS


def _text(annotation: Any) -> str:
    """An annotation that could not be resolved, as it was written."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", "")
    return str(text).strip("'\"")


# -------------------------------------------------------------------------------------- annotations


def _resolve(annotation: Any, names: Dict[str, Any]) -> Any:
    """The type an annotation means; ``Any`` when there is none or it cannot be told here.

    One by one: asked for all of a function's hints at once, Python gives none when one does not resolve.
    """
    if annotation is inspect.Signature.empty:
        return Any
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        resolved = typing.get_type_hints(holder, names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001  (annotations are the user's code: anything can happen in them)
        return Any
    return Any if isinstance(resolved, typing.TypeVar) else resolved


def returned(function: Callable[..., Any]) -> Any:
    """What its annotation says that it returns."""
    try:
        return _resolve(inspected(function).return_annotation, _names(function))
    except ValueError:
        return Any


def is_async_code(function: Callable[..., Any]) -> bool:
    """Whether what a call gives is to be awaited, or iterated over with ``async for``."""
    inner, resolved = inspect.unwrap(function), returned(function)
    says_so = (typing.get_origin(resolved) or resolved) in MANY_ASYNC
    return says_so or inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def output_of(function: Callable[..., Any]) -> Tuple[bool, Any]:
    """Whether a call gives many outputs, and the type of one."""
    inner, resolved = inspect.unwrap(function), returned(function)
    says_many = (typing.get_origin(resolved) or resolved) in MANY + MANY_ASYNC
    if says_many or inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        return True, (typing.get_args(resolved) or (Any,))[0]
    return False, _without_none(resolved)


def _without_none(resolved: Any) -> Any:
    """``Optional[X]`` as an output is ``X``: for ``None`` nothing is sent."""
    arguments = typing.get_args(resolved)
    if type(None) not in arguments:
        return resolved
    return Union[tuple(each for each in arguments if each is not type(None))]
