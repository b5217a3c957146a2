"""All lemmas, found by walking the chapter folders: a file in a chapter states exactly one lemma."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from dpverify.spec.core.lemma import PACKAGE, Lemma, Source

NOT_CHAPTERS = frozenset({"core", "exhibit", "proofs"})


class UnknownLemma(KeyError):
    """No lemma has that identifier."""

    def __init__(self, lemma_id: str, nearest: list[str]) -> None:
        self.lemma_id = lemma_id
        self.nearest = nearest
        super().__init__(lemma_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.lemma_id, self.nearest)

    def __str__(self) -> str:
        hint = f"; did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        return f"no lemma is called {self.lemma_id!r}{hint} (`dpverify lemmas` lists them)"


@cache
def lemmas() -> Mapping[str, Lemma]:
    """Every lemma by identifier, in order of chapter and name.

    Raises:
        ImportError: a file of a chapter states no lemma, or one without source or oracle; it names the file.
    """
    spec = importlib.import_module(PACKAGE.rstrip("."))
    found: dict[str, Lemma] = {}
    for chapter in pkgutil.iter_modules(spec.__path__):
        if not chapter.ispkg or chapter.name in NOT_CHAPTERS:
            continue
        package = importlib.import_module(PACKAGE + chapter.name)
        for entry in pkgutil.iter_modules(package.__path__):
            if entry.name.startswith("_"):
                continue
            module = importlib.import_module(f"{package.__name__}.{entry.name}")
            stated = _stated(module)
            found[stated.id] = stated
    return MappingProxyType(found)


def lemma(lemma_id: str) -> Lemma:
    """The lemma of that identifier.

    Raises:
        UnknownLemma: suggesting the nearest identifiers.
    """
    known = lemmas()
    if lemma_id not in known:
        raise UnknownLemma(lemma_id, difflib.get_close_matches(lemma_id, known, n=3, cutoff=0.4))
    return known[lemma_id]


def _stated(module: ModuleType) -> Lemma:
    where = module.__file__
    stated = getattr(module, "LEMMA", None)
    if not isinstance(stated, Lemma):
        raise ImportError(f"{where} must define LEMMA, the lemma that it states (helpers start with '_')")
    if stated.module != module.__name__:
        raise ImportError(f"{where}: LEMMA.module is {stated.module!r}; write module=__name__")
    if not isinstance(stated.source, Source) or not stated.source.document:
        raise ImportError(f"{where}: LEMMA has no source")
    if not callable(stated.oracle):
        raise ImportError(f"{where}: LEMMA has no oracle")
    if not stated.statement or not stated.claim:
        raise ImportError(f"{where}: LEMMA has no statement or no claim")
    return stated
