"""``python -m dpverify.spec.core.proofs [sources|audit|links|snapshot|recheck|mutants] ...``: see docs/proofs.md."""

from __future__ import annotations

import sys
import time

from dpverify.spec.core.proofs.auditing import audit, recheck, rechecked, take_snapshot
from dpverify.spec.core.proofs.errors import CoqMissing, ProofsRejected
from dpverify.spec.core.proofs.links import check_links
from dpverify.spec.core.proofs.mutants import run_mutants
from dpverify.spec.core.proofs.snapshot import check_sources, check_ties, read_snapshot
from dpverify.spec.core.registry import lemmas

STEPS = ("sources", "audit", "links", "snapshot", "recheck", "mutants")


def _perform(step: str) -> str:
    if step == "snapshot":
        changes = take_snapshot()
        return "\n".join([*map(str, changes), f"snapshot written, {len(changes)} statements or definitions changed"])
    if step == "recheck":
        return recheck()
    if step == "mutants":
        results = run_mutants()
        lines = [f"{result.outcome:8} {result.seconds:5.1f} s  {result.mutant.title}" for result in results]
        wrong = [result for result in results if result.outcome != "refused"]
        if wrong:
            raise SystemExit("\n".join([*lines, f"{len(wrong)} mutants not refused"]))
        return "\n".join([*lines, f"{len(results)} mutants, each refused"])
    if step == "links":
        return f"{check_links()} values and tables of Python's formulas certified by Coq"
    kept = read_snapshot() if step == "audit" else check_sources()
    cited = check_ties(lemmas().values(), kept)
    if step == "audit":
        audit(citations=cited)
    state = "proved and audited" if rechecked() else "in the snapshot (not rechecked here)"
    return f"{len(kept.theorems)} theorems {state}, {len(cited)} of them cited by lemmas"


def main(arguments: list[str]) -> int:
    steps = arguments or ["audit", "links"]
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        sys.stderr.write(f"step must be one of {', '.join(STEPS)}, but it is {unknown[0]!r}\n")
        return 2
    for step in steps:
        start = time.perf_counter()
        try:
            sys.stdout.write(f"{_perform(step)}  [{step}, {time.perf_counter() - start:.0f} s]\n")
        except (ProofsRejected, CoqMissing) as error:
            sys.stderr.write(f"{step}: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
