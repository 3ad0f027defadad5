"""For type checkers only: what ``@stage(batch=32)`` and ``@sink(batch=32)`` make of functions and classes.

The code takes and gives lists (or arrays with one more axis); the wire carries what is in them. So
``@stage(batch=32)`` on ``list[Image] -> list[Box]`` is a stage that takes an Image and gives a Box.
At run time these are the decorators of ``stage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Protocol, Sequence, Type, TypeVar, overload

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Concatenate, ParamSpec

    from penstock.pipeline.flow import Handler
    from penstock.pipeline.stage import Sink, SinkFunction, Stage, StageFunction

    P = ParamSpec("P")
    In = TypeVar("In")
    Out = TypeVar("Out")
    Array = TypeVar("Array", bound="np.ndarray[Any, Any]")
    Made = TypeVar("Made", bound="np.ndarray[Any, Any]")
    Outputs = Optional[Sequence[Out]]

    class BatchStageDecorator(Protocol):
        """``stage(batch=32)``."""

        # A class is also a function that makes instances, and a list could be an array: the order decides.
        @overload
        def __call__(self, target: Type[Handler[Array, Made]], /) -> Stage[Optional[Array], Made]: ...
        @overload
        def __call__(self, target: Type[Handler[List[In], Made]], /) -> Stage[Optional[In], Made]: ...
        @overload
        def __call__(self, target: Type[Handler[Array, Outputs[Out]]], /) -> Stage[Optional[Array], Out]: ...
        @overload
        def __call__(self, target: Type[Handler[List[In], Outputs[Out]]], /) -> Stage[Optional[In], Out]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[Array, P], Made], /
        ) -> StageFunction[Optional[Array], Made, Concatenate[Array, P], Made]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[List[In], P], Made], /
        ) -> StageFunction[Optional[In], Made, Concatenate[List[In], P], Made]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[Array, P], Outputs[Out]], /
        ) -> StageFunction[Optional[Array], Out, Concatenate[Array, P], Outputs[Out]]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[List[In], P], Outputs[Out]], /
        ) -> StageFunction[Optional[In], Out, Concatenate[List[In], P], Outputs[Out]]: ...
        def __call__(self, target: Any, /) -> Any:
            """Decorate."""

    class BatchSinkDecorator(Protocol):
        """``sink(batch=32)``."""

        @overload
        def __call__(  # type: ignore[overload-overlap]
            self, target: Type[Handler[Array, object]], /
        ) -> Sink[Optional[Array]]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self, target: Type[Handler[List[In], object]], /
        ) -> Sink[Optional[In]]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[Array, P], Out], /
        ) -> SinkFunction[Optional[Array], Concatenate[Array, P], Out]: ...
        @overload
        def __call__(
            self, target: Callable[Concatenate[List[In], P], Out], /
        ) -> SinkFunction[Optional[In], Concatenate[List[In], P], Out]: ...
        def __call__(self, target: Any, /) -> Any:
            """Decorate."""
