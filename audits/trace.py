"""Line traces: which lines a run of the caller's code went through, and what its locals held.

What lies in the standard library, among installed packages or in this library is taken as one step.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

MAX_LINES = 10_000  # of a run; what comes later is not followed
MAX_WORK = 1_000_000  # values compared in a run (256 bytes of an array count as one); likewise
LARGE = 2_000  # elements of a container, beyond which its ends stand for the whole
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
LIBRARIES = tuple(
    os.path.join(folder, "")
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_path(name))
    for folder in (path, os.path.realpath(path))
)
Stack = tuple[tuple[str, int], ...]  # (file, line), the innermost first


@dataclass(frozen=True)
class Change:
    """A local got a new value: at which line, at which moment, what."""

    line: int
    moment: int
    value: object


@dataclass
class Call:
    """One call of a function of the caller's: the lines it went through and what its locals held."""

    code: CodeType
    came_from: int  # line of the calling function, 0 if that is not traced
    lines: list[int] = field(default_factory=list)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    returned_at: int = 0
    result: object = None
    with_noise: bool = False

    @property
    def file(self) -> str:
        return self.code.co_filename


@dataclass
class Trace:
    """A run: its outermost call, and for every line the lines that followed it."""

    top: Call | None = None
    followers: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    moment: int = 0
    work: int = 0

    @property
    def full(self) -> bool:
        return self.moment > MAX_LINES or self.work > MAX_WORK


def traced(run: Callable[[], Any], package: str, noise: object) -> Trace:
    """The trace of ``run()``; whatever it raises ends the trace and is dropped.

    Args:
        package: top-level package of the function under test, which is looked at wherever it is installed.
        noise: an object that marks the functions that are given it.
    """
    trace, open_calls = Trace(), dict[FrameType, Call]()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if trace.full or not is_followed(frame, package) or code.co_name in COMPREHENSIONS:
            return None
        parent = frame.f_back
        while parent is not None and parent not in open_calls:
            parent = parent.f_back
        call = Call(code, 0 if parent is None else parent.f_lineno)
        call.with_noise = any(value is noise for value in frame.f_locals.values())
        if parent is not None:
            open_calls[parent].calls.append(call)
        elif trace.top is None:
            trace.top = call
        open_calls[frame] = call
        _notice(trace, call, frame, code.co_firstlineno)
        return step

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        call = open_calls[frame]
        if trace.full:
            return None
        if event in ("line", "return"):
            if call.lines:
                _notice(trace, call, frame, call.lines[-1])
            if event == "line":
                if call.lines:
                    trace.followers.setdefault((call.file, call.lines[-1]), []).append(frame.f_lineno)
                call.lines.append(frame.f_lineno)
            else:
                call.returned_at, call.result = frame.f_lineno, digest(argument, trace)
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run()
    except Exception:  # the replay itself has reported it
        pass
    finally:
        sys.settrace(before)
    return trace


def is_followed(frame: FrameType, package: str) -> bool:
    """Whether a frame runs the caller's code: of its own package, or at least not of a library."""
    module = str(frame.f_globals.get("__name__", ""))
    if module.startswith("dpverify.audits"):
        return False
    top = module.split(".")[0]
    return top == package or (top != "dpverify" and not frame.f_code.co_filename.startswith(("<frozen", *LIBRARIES)))


def _notice(trace: Trace, call: Call, frame: FrameType, line: int) -> None:
    trace.moment += 1
    for name, value in frame.f_locals.items():
        now = digest(value, trace)
        history = call.changes.setdefault(name, [])
        if not history or history[-1].value != now:
            history.append(Change(line, trace.moment, now))


def digest(value: Any, trace: Trace, depth: int = 4) -> object:
    """Something that two runs can compare: equal for equal values, whatever their place in memory."""
    trace.work += 1
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return (type(value).__name__, repr(value))
    if isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind != "O":
        array = np.ascontiguousarray(value)
        trace.work += array.nbytes // 256
        return (array.shape, array.dtype.str, hashlib.blake2b(array.tobytes()).digest())
    kind = type(value).__qualname__
    if depth == 0 or type(value).__module__ == "dpverify.audits.replay":
        return kind
    if isinstance(value, dict):
        value = [part for item in value.items() for part in item]
    elif isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple):
        ends = value if len(value) <= LARGE else [*value[: LARGE // 2], *value[-LARGE // 2 :]]
        return (kind, len(value), tuple(digest(part, trace, depth - 1) for part in ends))
    if isinstance(value, type) or inspect.isroutine(value):
        return kind
    if hasattr(value, "__dict__") and not hasattr(value, "equals"):
        return (kind, digest(vars(value), trace, depth - 1))
    try:  # tables and other things that keep their contents to themselves
        content = pickle.dumps(value)
    except Exception:
        return kind
    trace.work += len(content) // 256
    return (kind, hashlib.blake2b(content).digest())
