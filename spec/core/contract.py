"""How an implementation names the lemmas that it relies on and those that it enforces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dpverify.spec.core.lemma import Lemma

Implementation = TypeVar("Implementation", bound=Callable[..., Any])

# Filled at import, in the manner of a plug-in registry: lemma id -> qualified names of functions.
_RELYING: defaultdict[str, list[str]] = defaultdict(list)
_ENFORCING: defaultdict[str, list[str]] = defaultdict(list)


def contract(
    *, relies_on: Sequence[Lemma] = (), enforces: Sequence[Lemma] = ()
) -> Callable[[Implementation], Implementation]:
    """Declare what a function or class owes to which lemma.

    Args:
        relies_on: it is correct because these hold.
        enforces: it checks hypotheses (``lemma.require``) or a conclusion (``lemma.enforce``) of these at run
            time and refuses to go on where one fails.
    """

    def declare(implementation: Implementation) -> Implementation:
        name = f"{implementation.__module__}.{implementation.__qualname__}"
        for lemma in relies_on:
            _RELYING[lemma.id].append(name)
        for lemma in enforces:
            _ENFORCING[lemma.id].append(name)
        implementation.__lemmas__ = tuple(x.id for x in (*relies_on, *enforces))  # type: ignore[attr-defined]
        return implementation

    return declare


def relying_on(lemma_id: str) -> tuple[str, ...]:
    """Names of the functions that rely on a lemma."""
    return tuple(sorted(set(_RELYING.get(lemma_id, ()))))


def enforcing(lemma_id: str) -> tuple[str, ...]:
    """Names of the functions that enforce a lemma."""
    return tuple(sorted(set(_ENFORCING.get(lemma_id, ()))))
