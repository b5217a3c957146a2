"""``replay``: frozen-noise replay, a deterministic check that everything private passes through noise.

The algorithm takes its noise from a source that records what enters each noise primitive and what leaves it. Run it on
d0; run it on d1 while handing out the *same* noisy values. Then all that follows must be identical, and what entered
may differ by the declared sensitivity at most. It finds quantities released without noise, control flow, bounds and
scales read off the data, and sensitivities declared too small for the pair; it says nothing about the noise itself.
Every finding names the line of the fact. Where something was found, both runs are made again under a trace, and a hint
names the line at which the difference first shows (``dpverify.audits.origin``).

    def algorithm(dataset, noise):
        total = noise.add(sum(dataset), law, sensitivity=1.0)     # law.sample(size), or law(size, rng)
        return total / len(dataset)

    dpverify.replay(algorithm, d0, d1).raise_if_violated()
    algorithm(dataset, LiveNoise(rng))                            # in production
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from dpverify.audits.errors import AuditFinding
from dpverify.audits.origin import Origin, origin_of_names, origin_of_path, origin_of_result
from dpverify.audits.sampling import check_pair, same
from dpverify.audits.trace import Stack, is_followed, traced
from dpverify.errors import InvalidArgument

Norm = Literal[1, 2, "max"]
SLACK = 1e-9  # relative: the entering values were computed in floats, and so was their difference


class NoiseSource(Protocol):
    """Where an algorithm takes its noise from."""

    def add(self, value: Any, law: Any, *, sensitivity: float, norm: Norm = 1) -> Any:
        """``value`` (a number or an array) plus noise from ``law``: a ``law.sample(size)`` or ``law(size, rng)``."""

    def through(self, primitive: Callable[..., Any], value: Any, *args: Any, sensitivity: float, norm: Norm = 1) -> Any:
        """``primitive(value, *args)``, for any noise primitive that takes a value and returns it noisy."""


@dataclass
class LiveNoise:
    """The source for production: adds noise and records nothing. ``rng`` is for laws that ask for a generator."""

    rng: np.random.Generator | None = None

    def add(self, value: Any, law: Any, *, sensitivity: float, norm: Norm = 1) -> Any:
        _check_declared(sensitivity, norm)
        return _noisy(value, law, self.rng)

    def through(self, primitive: Callable[..., Any], value: Any, *args: Any, sensitivity: float, norm: Norm = 1) -> Any:
        _check_declared(sensitivity, norm)
        return primitive(value, *args)


@dataclass(frozen=True)
class Entry:
    """One use of noise: where, what entered, with which declared parameters, and what came out."""

    where: str
    value: npt.NDArray[Any]
    declared: str
    sensitivity: float
    norm: Norm
    noisy: Any


@dataclass(frozen=True)
class Finding:
    """Something that d1 changed although the noisy values were the same.

    Attributes:
        kind: "released without noise", "control flow", "parameters", "sensitivity" or "own randomness".
        where: file:line of the fact: the use of noise, the ``return``, or what raised.
        origin: a hint, from a trace of both runs: the line at which the difference first shows; None if unknown.
    """

    kind: str
    message: str
    where: str
    origin: Origin | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.kind}: {self.message}"
        return text if self.origin is None else f"{text}\n      hint: {self.origin}"


@dataclass(frozen=True)
class ReplayResult:
    """Outcome of :func:`replay`: ``findings`` (none: passed) and the ``entries`` recorded on d0."""

    findings: tuple[Finding, ...]
    entries: tuple[Entry, ...] = field(repr=False)
    algorithm: str

    @property
    def violated(self) -> bool:
        return bool(self.findings)

    def describe(self) -> str:
        if not self.findings:
            return f"{self.algorithm}: all that depends on the data passed through {len(self.entries)} uses of noise"
        return "\n".join([f"{self.algorithm} leaks past its noise:", *(f"  {finding}" for finding in self.findings)])

    def raise_if_violated(self) -> None:
        """Raise :class:`dpverify.PrivacyViolation` if anything was found."""
        if self.findings:
            raise AuditFinding(self.describe(), self)

    def __str__(self) -> str:
        return self.describe()


def replay(algorithm: Callable[[Any, NoiseSource], Any], d0: Any, d1: Any, *, seed: int = 0) -> ReplayResult:
    """Record ``algorithm(d0, noise)``, replay its noisy values on d1, and report every difference.

    Args:
        algorithm: takes all its randomness from ``noise``; its result may nest lists, tuples, dicts and arrays.
        d0, d1: two different neighbouring datasets; they are copied, so the algorithm may change them.
        seed: of the generator handed to laws that ask for one.

    Raises:
        InvalidArgument: the datasets are equal, or a declared sensitivity or norm makes no sense.
    """
    check_pair(d0, d1)
    name = getattr(algorithm, "__qualname__", type(algorithm).__qualname__)
    recorder = _Recorder(np.random.default_rng(seed))
    expected = algorithm(copy.deepcopy(d0), recorder)
    entries = tuple(recorder.entries)
    again = _replayed(algorithm, d0, expected, entries)
    if again:
        found = _located(algorithm, d0, d0, entries, again)[0]
        message = (
            f"two runs on d0 with the same noise differ ({again[0].message}); all randomness must come from `noise`"
        )
        return ReplayResult((replace(found, kind="own randomness", message=message),), entries, name)
    findings = _replayed(algorithm, d1, expected, entries)
    return ReplayResult(tuple(_located(algorithm, d0, d1, entries, findings)), entries, name)


@dataclass(frozen=True)
class _Raw(Finding):
    """A finding before its origin is looked for: where in the result it is, or the lines of the calls around it."""

    path: tuple[Any, ...] = ()
    stack: Stack = ()
    use: int = -1  # of noise on d0 that stands against it


def _replayed(
    algorithm: Callable[[Any, NoiseSource], Any], dataset: Any, expected: Any, entries: tuple[Entry, ...]
) -> list[_Raw]:
    player, start = _Player(entries), _line_of(algorithm)
    try:
        result = algorithm(copy.deepcopy(dataset), player)
    except _Diverged:
        return player.findings
    except Exception as error:
        message = f"raised {type(error).__name__}: {error}, with the same noise that went through on d0"
        stack = _raised_at(error, _package(algorithm))
        return [*player.findings, _Raw("control flow", message, _place(stack, start), stack=stack)]
    if player.used < len(entries):
        missing = entries[player.used]
        message = f"noise was used {player.used} times, on d0 {len(entries)} times; first missing here"
        return [*player.findings, _Raw("control flow", message, missing.where, use=player.used)]
    difference = _difference(expected, result, "the result", ())
    if difference is not None:
        player.findings.append(_Raw("released without noise", difference[0], start, path=difference[1]))
    return player.findings


def _located(
    algorithm: Callable[[Any, NoiseSource], Any], d0: Any, d1: Any, entries: tuple[Entry, ...], findings: list[_Raw]
) -> list[Finding]:
    """Run both again under a trace and look for the lines at which the differences arise."""
    if not findings:
        return []
    players = [_Player(entries) for _ in range(2)]
    first, second = (
        traced(lambda d=d, p=p: _anew(algorithm)(copy.deepcopy(d), p), _package(algorithm), p)  # type: ignore[misc]
        for d, p in zip((d0, d1), players, strict=True)
    )
    located = []
    for found in findings:
        where, origin = found.where, None
        if found.kind == "released without noise":
            returned, origin = origin_of_result(first, second, found.path)
            where = returned or where
        elif found.kind == "parameters":
            origin = origin_of_names(first, second, where)
        elif found.kind == "control flow":
            on_d0 = players[0].stacks[found.use : found.use + 1] if found.use >= 0 else []
            origin = origin_of_path(first, second, [stack for stack in (found.stack, *on_d0) if stack])
        if origin is not None and origin.where == where:
            origin = None  # nothing that the finding does not say
        located.append(Finding(found.kind, found.message, where, origin))
    return located


def _anew(algorithm: Any) -> Any:
    """A copy, so that what an object keeps from run to run is the same in both; itself where it cannot be copied."""
    try:
        return copy.deepcopy(algorithm)
    except Exception:
        return algorithm


def _package(algorithm: Any) -> str:
    module = getattr(algorithm, "__module__", None) or type(algorithm).__module__
    return str(module).split(".")[0]


def _raised_at(error: Exception, package: str) -> Stack:
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if is_followed(frame, package)]
    return tuple((frame.f_code.co_filename, line) for frame, line in reversed(frames))


def _place(stack: Stack, otherwise: str) -> str:
    return f"{stack[0][0]}:{stack[0][1]}" if stack else otherwise


class _Diverged(Exception):
    """The replay cannot go on: there is no recorded value for what is asked."""


@dataclass
class _Recorder:
    rng: np.random.Generator
    entries: list[Entry] = field(default_factory=list)

    def add(self, value: Any, law: Any, *, sensitivity: float, norm: Norm = 1) -> Any:
        _check_declared(sensitivity, norm)
        return self._record(value, _declared(law), sensitivity, norm, _noisy(value, law, self.rng))

    def through(self, primitive: Callable[..., Any], value: Any, *args: Any, sensitivity: float, norm: Norm = 1) -> Any:
        _check_declared(sensitivity, norm)
        kept = copy.deepcopy(value)
        return self._record(kept, _declared(primitive, *args), sensitivity, norm, primitive(value, *args))

    def _record(self, value: Any, declared: str, sensitivity: float, norm: Norm, noisy: Any) -> Any:
        self.entries.append(
            Entry(_place(_callers(), "?"), np.array(value), declared, float(sensitivity), norm, copy.deepcopy(noisy))
        )
        return noisy


@dataclass
class _Player:
    entries: tuple[Entry, ...]
    used: int = 0
    findings: list[_Raw] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)

    def add(self, value: Any, law: Any, *, sensitivity: float, norm: Norm = 1) -> Any:
        return self._play(value, _declared(law), sensitivity, norm)

    def through(self, primitive: Callable[..., Any], value: Any, *args: Any, sensitivity: float, norm: Norm = 1) -> Any:
        return self._play(value, _declared(primitive, *args), sensitivity, norm)

    def _play(self, value: Any, declared: str, sensitivity: float, norm: Norm) -> Any:
        self.stacks.append(_callers())
        where, entered = _place(self.stacks[-1], "?"), np.array(value)
        if self.used == len(self.entries):
            self._found("control flow", f"noise is used more often than on d0 ({self.used} times)", where)
            raise _Diverged
        entry = self.entries[self.used]
        self.used += 1
        if where != entry.where or entered.shape != entry.value.shape:
            self._found(
                "control flow",
                f"use {self.used} of noise has shape {entered.shape} here; on d0 it was at {entry.where} with "
                f"shape {entry.value.shape}",
                where,
            )
            raise _Diverged
        if (declared, float(sensitivity), norm) != (entry.declared, entry.sensitivity, entry.norm):
            self._found(
                "parameters",
                f"the noise depends on the data: {declared}, sensitivity {sensitivity:g}, norm {norm}; on d0 "
                f"{entry.declared}, sensitivity {entry.sensitivity:g}, norm {entry.norm}",
                where,
            )
        distance = _distance(entry.value, entered, norm)
        if not distance <= entry.sensitivity * (1.0 + SLACK):
            self._found(
                "sensitivity",
                f"the value that enters the noise differs by {distance:.6g} in norm {norm}; declared: at most "
                f"{entry.sensitivity:.6g}",
                where,
            )
        return copy.deepcopy(entry.noisy)

    def _found(self, kind: str, message: str, where: str) -> None:
        use = len(self.stacks) - 1
        self.findings.append(_Raw(kind, message, where, stack=self.stacks[-1], use=use))


def _noisy(value: Any, law: Any, rng: np.random.Generator | None) -> Any:
    array = np.asarray(value)
    size = int(array.size)
    if hasattr(law, "sample"):
        noise = law.sample(size)
    elif rng is None:
        raise InvalidArgument("rng", None, "a numpy Generator, because the law asks for one", "LiveNoise(rng)")
    else:
        noise = law(size, rng)
    noisy = array + np.asarray(noise).reshape(array.shape)
    return noisy if array.shape else noisy[()]


def _check_declared(sensitivity: float, norm: Norm) -> None:
    if not (isinstance(sensitivity, int | float | np.number) and 0.0 <= float(sensitivity) < np.inf):
        raise InvalidArgument("sensitivity", sensitivity, "a finite number of at least 0")
    if norm not in (1, 2, "max"):
        raise InvalidArgument("norm", norm, "1, 2 or 'max'")


def _distance(left: npt.NDArray[Any], right: npt.NDArray[Any], norm: Norm) -> float:
    gap = (np.asarray(right, dtype=np.float64) - np.asarray(left, dtype=np.float64)).ravel()
    return float(np.linalg.norm(gap, ord=np.inf if norm == "max" else norm)) if gap.size else 0.0


def _declared(law: Any, *args: Any) -> str:
    """A law or primitive with its parameters, in words that do not depend on where it lies in memory."""
    shown = "".join(f", {argument!r}" for argument in args)
    if isinstance(law, functools.partial):
        keywords = "".join(f", {k}={v!r}" for k, v in sorted(law.keywords.items()))
        return _declared(law.func, *law.args, *args) + keywords
    if hasattr(law, "__qualname__"):
        cells = getattr(law, "__closure__", None) or ()
        kept = [cell.cell_contents for cell in cells]
        closure = f" with {kept!r}" if kept else ""
        return f"{law.__qualname__}{closure}{shown}"
    if " object at 0x" in repr(law):
        return f"{type(law).__qualname__}({vars(law) if hasattr(law, '__dict__') else ''}){shown}"
    return f"{law!r}{shown}"


def _difference(left: Any, right: Any, where: str, path: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]] | None:
    """Where two results differ first, in words and as keys and indices; or None."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        parts = [(left[k], right[k], f"{where}[{k!r}]", (*path, k)) for k in left]
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        parts = [(a, b, f"{where}[{i}]", (*path, i)) for i, (a, b) in enumerate(zip(left, right, strict=True))]
    elif _holds_its_parts(left) and type(left) is type(right) and vars(left).keys() == vars(right).keys():
        parts = [(v, vars(right)[k], f"{where}.{k}", (*path, k)) for k, v in vars(left).items()]
    else:
        equal = same(left, right) or (type(left) is type(right) and hasattr(left, "equals") and left.equals(right))
        return None if equal else (f"{where} is {_short(left)} on d0 but {_short(right)} on d1", path)
    return next((found for part in parts if (found := _difference(*part)) is not None), None)


def _holds_its_parts(value: Any) -> bool:
    """An object that is equal to itself only, so that one has to look inside."""
    compares = any("__eq__" in vars(kind) for kind in type(value).__mro__[:-1])
    plain = not (compares or isinstance(value, type) or inspect.isroutine(value))
    return plain and bool(getattr(value, "__dict__", None))


def _short(value: Any) -> str:
    text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _callers() -> Stack:
    """Files and lines of the calls outside this module, up to where this module called the algorithm."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    stack = []
    while frame is not None and frame.f_code.co_filename != __file__:
        stack.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(stack)


def _line_of(algorithm: Any) -> str:
    code = getattr(algorithm, "__code__", None) or getattr(getattr(algorithm, "__call__", None), "__code__", None)  # noqa: B004
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else type(algorithm).__qualname__
