"""Evidence "enclosed": interval arithmetic shows a statement at *every* point of a box of parameters.

An oracle checks points; an enclosure leaves no gap between them. It concerns the mathematical statement and, at
the ends of its pieces, what the code computes; it rests on mpmath's outward rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.intervals import IV, Function, Functions, Jet, enclose, lower, upper

Box = Mapping[str, tuple[float, float]]
MOST_BOXES = 20_000


@dataclass(frozen=True)
class Enclosure:
    """What interval arithmetic shows over a box.

    Attributes:
        box: name of each parameter -> its range (of the lemma, or of what its proof reduces to).
        claim: what is shown there, with the slack.
        holds: computes the enclosures and returns comparisons of their bounds.
    """

    box: Box
    claim: str
    holds: Callable[[], Comparison | Sequence[Comparison]]

    def __str__(self) -> str:
        ranges = ", ".join(f"{name} in [{low:.3g}, {high:.3g}]" for name, (low, high) in self.box.items())
        return f"{self.claim}, for all {ranges}"


def pieces(low: float, high: float, *, ratio: float = 1.5, most: float = 1.5) -> list[float]:
    """Ends of neighbouring pieces of [low, high], 0 < low: each at most ``ratio`` times as high and ``most`` long."""
    ends = [low]
    while ends[-1] < high:
        ends.append(min(high, ends[-1] * ratio, ends[-1] + most))
    return ends


def identity(
    sides: Callable[..., Sequence[tuple[Jet, Jet]]],
    ends: Sequence[float],
    integrands: Sequence[Function] = (),
    *,
    tolerance: float,
    label: str,
) -> Comparison:
    """``|left - right| <= tolerance |right|`` on every piece, wherever in it, for every pair (left, right) of sides."""

    def differences(*jets: Jet) -> tuple[Jet, ...]:
        return tuple(side for left, right in sides(*jets) for side in (left - right, right))

    relative = []
    for found in enclose(differences, ends, integrands):
        pairs = zip(found[::2], found[1::2], strict=True)
        relative += [upper(abs(apart) / abs(size)) for apart, size in pairs]  # infinite if the right side may vanish
    return at_most(relative, tolerance, label=f"{label}, on {len(ends) - 1} pieces")


def positive(
    functions: Functions, ends: Sequence[float], integrands: Sequence[Function] = (), *, label: str
) -> Comparison:
    """Every one of the functions is at least 0 on every piece, wherever in it."""
    found = [lower(x) for piece in enclose(functions, ends, integrands) for x in piece]
    return at_most([0] * len(found), found, label=f"{label}, on {len(ends) - 1} pieces")


def bounded(function: Callable[..., Any], box: Box, bound: float, *, label: str) -> Comparison:
    """``function <= bound`` on the whole box, by bisection of the longest side (relative) until every part shows it.

    ``function`` takes intervals by name. If it does not succeed within 20,000 parts, the worst is shown.
    """
    waiting, worst, done = [dict(box)], None, 0
    while waiting:
        part, done = waiting.pop(), done + 1
        found = upper(function(**{name: IV.mpf(list(ends)) for name, ends in part.items()}))
        if found <= bound:
            worst = found if worst is None else max(worst, found)
            continue
        if done > MOST_BOXES or found != found:
            return at_most(found, bound, label=f"{label}, at {part}")
        name = max(part, key=lambda key: part[key][1] / part[key][0])
        low, high = part[name]
        middle = (low * high) ** 0.5
        waiting += [{**part, name: (low, middle)}, {**part, name: (middle, high)}]
    return at_most(worst, bound, label=f"{label}, on {done} boxes")
