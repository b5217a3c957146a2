"""How an implementation names the lemmas that it relies on and those that it enforces."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from dpverify.spec.core.lemma import PACKAGE, Lemma

Implementation = TypeVar("Implementation", bound=Callable[..., Any])

# Filled at import, in the manner of a plug-in registry: lemma id -> qualified names of functions.
_RELYING: defaultdict[str, list[str]] = defaultdict(list)
_ENFORCING: defaultdict[str, list[str]] = defaultdict(list)
_AUDITING: defaultdict[str, list[str]] = defaultdict(list)


def contract(
    *, relies_on: Sequence[Lemma] = (), enforces: Sequence[Lemma] = (), audits: Sequence[Lemma] = ()
) -> Callable[[Implementation], Implementation]:
    """Declare what a function or class owes to which lemma.

    Args:
        relies_on: it is correct because these hold.
        enforces: it checks hypotheses (``lemma.require``) or a conclusion (``lemma.enforce``) of these at run
            time and refuses to go on where one fails.
        audits: it puts what these claim of the library's own mechanisms to a statistical test.

    Raises:
        TypeError: something else than a lemma, or a lemma with neither guard nor hypotheses to enforce.
    """
    for lemma in (*relies_on, *enforces, *audits):
        if not isinstance(lemma, Lemma):
            raise TypeError(f"a contract names a Lemma, but this is {lemma!r} (exhibits are never evidence)")
    for lemma in enforces:
        if lemma.guard is None and not lemma.hypotheses:
            raise TypeError(f"{lemma.id} has no guard and no hypotheses: it can be relied on, but not enforced")

    def declare(implementation: Implementation) -> Implementation:
        name = f"{implementation.__module__}.{implementation.__qualname__}"
        for lemma in relies_on:
            _RELYING[lemma.id].append(name)
        for lemma in enforces:
            _ENFORCING[lemma.id].append(name)
        for lemma in audits:
            _AUDITING[lemma.id].append(name)
        implementation.__lemmas__ = tuple(x.id for x in (*relies_on, *enforces, *audits))  # type: ignore[attr-defined]
        return implementation

    return declare


NO_CONTRACTS = frozenset({"spec", "commands", "cli", "pytest_plugin", "torch"})  # torch: an extra, imported when used


@cache
def load_contracts() -> None:
    """Import every module of the library that may declare contracts; the ledger is complete only after that.

    The specification knows none of them by name: it finds them as the registry finds lemmas. Only the ledger calls
    this, and nothing is taken from the modules.
    """
    library = importlib.import_module(PACKAGE.partition(".")[0])
    for entry in pkgutil.iter_modules(library.__path__):
        if entry.name in NO_CONTRACTS:
            continue
        module = importlib.import_module(f"{library.__name__}.{entry.name}")
        if entry.ispkg:
            for inner in pkgutil.walk_packages(module.__path__, f"{module.__name__}."):
                importlib.import_module(inner.name)


def relying_on(lemma_id: str) -> tuple[str, ...]:
    """Names of the functions that rely on a lemma."""
    return tuple(sorted(set(_RELYING.get(lemma_id, ()))))


def enforcing(lemma_id: str) -> tuple[str, ...]:
    """Names of the functions that enforce a lemma."""
    return tuple(sorted(set(_ENFORCING.get(lemma_id, ()))))


def auditing(lemma_id: str) -> tuple[str, ...]:
    """Names of the functions that audit what a lemma claims."""
    return tuple(sorted(set(_AUDITING.get(lemma_id, ()))))
