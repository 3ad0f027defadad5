"""In the worker of a group: one attempt of a job, from its arguments to the word on how it ended."""

from __future__ import annotations

import time
from typing import Any, Dict, Mapping

from penstock.errors import EnvironmentFault, PeerError, Reject, Retry, UnsupportedType
from penstock.message.codec import join
from penstock.pipeline.duration import seconds
from penstock.runtime.jobwire import Work, Worked
from penstock.runtime.worker import handler
from penstock.runtime.worker.jobs.jobcontext import LiveJobContext
from penstock.runtime.worker.jobs.taskcode import TaskCode, Unusable
from penstock.tasks import freight, kind
from penstock.tasks.files import INLINE, Files, read
from penstock.tasks.script import SCRIPT

NO_MEMORY = {"MemoryError", "OutOfMemoryError"}
"""Python's, and that of torch and CuPy for the memory of a GPU."""


class ScriptFailed(Exception):
    """A command line has failed. ``tail``: the last it printed."""

    def __init__(self, message: str, tail: str, cause: str = "error") -> None:
        super().__init__(message)
        self.tail = tail
        self.cause = cause


class Told(SystemExit):
    """The attempt in hand is to end: raised in the main thread, wherever that is in user code."""


def run(work: Work, context: LiveJobContext, codes: Mapping[str, TaskCode]) -> Worked:
    """Call the code, and say how that ended."""
    began = time.monotonic()
    try:
        value = _call(work, context, codes)
        fields = _packed(work, value)
    except Told:
        fields = {"how": "returned"}
    except Retry as wish:
        fields = {"how": "returned"} if context.stopping else _failure(wish)
    except BaseException as error:  # also what ends a program: it ends this attempt and not the worker
        fields = _failure(error)
    return Worked(work.id, work.fence, took=time.monotonic() - began, wrote=context.wrote, **fields)


def _call(work: Work, context: LiveJobContext, codes: Mapping[str, TaskCode]) -> Any:
    args, kwargs = _arguments(work)
    if work.task == SCRIPT:
        from penstock.runtime.worker.jobs import script  # a group of functions needs no subprocess

        return script.run(work, args, kwargs, context.out_dir)
    code = codes.get(work.task)
    if code is None:
        known = ", ".join(sorted(codes)) or "none"
        raise Unusable(f"there is no task {work.task!r} in this group any more; it has {known}")
    return code.call(args, kwargs, context)


def _arguments(work: Work) -> Any:
    try:
        body = read(work.args_path) if work.args_path else work.args
        return freight.call(body)
    except FileNotFoundError:
        raise Unusable(
            f"its arguments lie in a file that is not seen here, {work.args_path}; say with [tasks] files in"
            " penstock.toml, or PENSTOCK_FILES, which folder all see who take part"
        ) from None
    except (PeerError, EnvironmentFault, OSError) as error:
        raise Unusable(f"its arguments cannot be read: {error}") from None


def _packed(work: Work, value: Any) -> Dict[str, Any]:
    encoder = freight.encoder()
    payload = encoder.encode(value)
    encoder.taken()
    body = join([payload])
    if len(body) <= INLINE:
        return {"how": "done", "result": body}
    return {"how": "done", "path": Files(work.results).put(f"{work.id}.{work.fence}.result", body)}


def _failure(error: BaseException) -> Dict[str, Any]:
    kinds = kind.names(type(error))
    fields: Dict[str, Any] = {
        "how": "failed",
        "cause": _cause(error, kinds),
        "error": str(error) if isinstance(error, (Unusable, ScriptFailed)) else handler.one_line(error),
        "kinds": kinds,
    }
    if isinstance(error, (Reject, Unusable)):
        return fields
    if isinstance(error, Retry):
        return {**fields, **_wish(error)}
    fields["traceback"] = error.tail if isinstance(error, ScriptFailed) else handler.user_traceback(error)
    return fields


def _cause(error: BaseException, kinds: Any) -> str:
    if isinstance(error, Reject):
        return "rejected"
    if isinstance(error, (Unusable, UnsupportedType)):
        return "unusable"
    if NO_MEMORY & set(kinds):
        return "oom"
    return error.cause if isinstance(error, ScriptFailed) else "error"


def _wish(retry: Retry) -> Dict[str, Any]:
    """When it wants to be tried again; what cannot be understood is the usual back-off."""
    if retry.after is None:
        return {}
    try:
        return {"after": seconds(retry.after)}
    except ValueError as wrong:
        text = handler.one_line(retry)
        return {"error": f"{text} (the usual back-off, because Retry(after=...): {wrong})"}
