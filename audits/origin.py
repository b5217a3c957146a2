"""From a difference between two traced runs back to the line at which it arises.

A hint, not a proof: it follows the values that differ from the result back through the lines that bound them, by
comparing what each local held in both runs, and stops at what the function takes as its data: its parameters, and
locals that enter noise.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from dpverify.audits.trace import Call, Change, Stack, Trace

APART = "the runs go different ways here"
ENTERS = {"add": 0, "through": 1}  # which argument of a NoiseSource's method enters the noise
CONTROL = (ast.If, ast.For, ast.While, ast.Try, ast.Match)
DEEPEST = 50  # steps back


@dataclass(frozen=True)
class Origin:
    """Where a difference first shows: file:line, and why it is thought so."""

    where: str
    why: str

    def __str__(self) -> str:
        file, _, line = self.where.rpartition(":")
        source = linecache.getline(file, int(line)).strip()
        return f"{self.where}: {self.why}" + (f":  {source}" if source else "")


def origin_of_result(first: Trace, second: Trace, path: tuple[Any, ...]) -> tuple[str, Origin | None]:
    """Where the second run returned ("" if unknown), and where the difference of the results comes from.

    Args:
        path: keys and indices that lead to the part of the result that differs.
    """
    if first.top is None or second.top is None or not second.top.returned_at:
        return "", None
    return f"{second.top.file}:{second.top.returned_at}", _from_return((first, second), first.top, second.top, path)


def _from_return(runs: tuple[Trace, Trace], a: Call, b: Call, path: tuple[Any, ...]) -> Origin | None:
    if a.code is not b.code:
        return None
    if a.returned_at != b.returned_at:
        return origin_of_path(*runs, [((b.file, b.returned_at),), ((a.file, a.returned_at),)])
    statement = _statement(b.file, b.returned_at)
    value = getattr(statement, "value", None)
    node = _part(value, path) if isinstance(value, ast.expr) else statement
    if node is None:
        return Origin(f"{b.file}:{b.returned_at}", "returned here")
    return _backwards(runs, a, b, node, float("inf"), (), 0)


def origin_of_names(first: Trace, second: Trace, where: str) -> Origin | None:
    """Where the law or the declared sensitivity of the use of noise at ``where`` gets its dependence on the data."""
    file, _, line = where.rpartition(":")
    for a, b in _pairs(first.top, second.top):
        if b.file == file and int(line) in b.lines:
            for node in ast.walk(_statement(file, int(line)) or ast.Pass()):
                declared_by = _declarations(node)
                if declared_by is None:
                    continue
                declared = ast.copy_location(ast.Tuple(elts=declared_by, ctx=ast.Load()), cast(ast.expr, node))
                found = _backwards((first, second), a, b, declared, float("inf"), (), 0)
                if found is not None:
                    return found
    return None


def origin_of_path(first: Trace, second: Trace, stacks: Iterable[Stack]) -> Origin | None:
    """The innermost statement around one of the lines at which the two runs went different ways."""
    for stack in stacks:
        for file, line in stack:
            for header in _headers(file, line):
                a, b = (trace.followers.get((file, header), []) for trace in (first, second))
                if any(x != y for x, y in zip(a, b, strict=False)):
                    return Origin(f"{file}:{header}", APART)
    for mine, theirs in _pairs(first.top, second.top):  # nothing around it decides: where the paths part at first
        for i, (x, y) in enumerate(zip(mine.lines, theirs.lines, strict=False)):
            if x != y and i:
                return Origin(f"{theirs.file}:{theirs.lines[i - 1]}", APART)
    return None


def _backwards(
    runs: tuple[Trace, Trace], a: Call, b: Call, node: ast.AST, before: float, chain: Stack, depth: int
) -> Origin | None:
    """From an expression or statement to the line at which the first of the values that differ in it was bound.

    ``chain``: the locals that led here and the lines that bound them, the one nearest to the result first.
    """
    why = _said(chain) if chain else "the difference is computed here"
    here = Origin(f"{b.file}:{getattr(node, 'lineno', b.returned_at)}", why)
    inside = _inside(runs, a, b, here, depth)
    if inside is not None:
        return inside
    parts = [(first, used) for used in _names(node) if (first := _parting(a, b, used)) and first[1].moment < before]
    private = _entering(b)
    bound = [
        part
        for part in parts
        if part[1] not in private and (part[0][1].line != b.code.co_firstlineno or part[1] not in _parameters(b))
    ]
    if not bound or depth > DEEPEST:
        return here if parts or chain else None
    (other, change), used = min(bound, key=lambda part: part[0][1].moment)
    if other is None or other.line != change.line:
        lines = [change.line] + ([other.line] if other is not None else [])
        parted = origin_of_path(*runs, [((b.file, line),) for line in lines])
        if parted is not None:
            return parted
    statement = _statement(b.file, change.line)
    if statement is None:
        return Origin(f"{b.file}:{change.line}", _said((*chain, (used, change.line))))
    chain = (*chain, (used, change.line))
    return _backwards(runs, a, b, _header_only(statement), change.moment, chain, depth + 1)


def _said(chain: Stack) -> str:
    return f"`{chain[-1][0]}` differs from here on" + "".join(f", then `{n}` (line {at})" for n, at in chain[-2::-1])


def _inside(runs: tuple[Trace, Trace], a: Call, b: Call, here: Origin, depth: int) -> Origin | None:
    """If the line calls a function that was given the noise, and that returned something else: search there."""
    line = int(here.where.rpartition(":")[2])
    calls = [[c for c in call.calls if c.came_from == line and c.with_noise] for call in (a, b)]
    for mine, theirs in zip(*calls, strict=False):
        if mine.result != theirs.result and depth < DEEPEST:
            return _from_return(runs, mine, theirs, ())
    return None


def _parting(a: Call, b: Call, name: str) -> tuple[Change | None, Change] | None:
    """The first change of a local that is not the same in both calls; the second call's is never None."""
    mine, theirs = a.changes.get(name, []), b.changes.get(name, [])
    for x, y in zip(mine, theirs, strict=False):
        if (x.line, x.value) != (y.line, y.value):
            return x, y
    if len(theirs) > len(mine):
        return None, theirs[len(mine)]
    return (None, mine[len(theirs)]) if len(mine) > len(theirs) else None


def _pairs(a: Call | None, b: Call | None) -> Iterator[tuple[Call, Call]]:
    """Corresponding calls of both runs."""
    if a is None or b is None or a.code is not b.code:
        return
    yield a, b
    for mine, theirs in zip(a.calls, b.calls, strict=False):
        yield from _pairs(mine, theirs)


def _names(node: ast.AST) -> list[str]:
    """Names that are read, but for the values that enter noise."""
    declared = _declarations(node)
    if declared is not None:
        return [name for part in declared for name in _names(part)]
    own = [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else []
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        own = [node.target.id]
    return own + [name for child in ast.iter_child_nodes(node) for name in _names(child)]


def _declarations(node: ast.AST) -> list[ast.expr] | None:
    """Of a use of noise, all arguments but the value that enters; None if the node is something else."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ENTERS):
        return None
    kept = [argument for i, argument in enumerate(node.args) if i != ENTERS[node.func.attr]]
    return kept + [keyword.value for keyword in node.keywords if keyword.arg != "value"]


def _entering(call: Call) -> set[str]:
    """Locals that the function passes through noise somewhere: private data, where the search ends."""
    tree = _tree(call.file)
    found: set[str] = set()
    for function in ast.walk(tree) if tree is not None else []:
        if not isinstance(function, ast.FunctionDef):
            continue
        starts = {function.lineno, *(decorator.lineno for decorator in function.decorator_list)}
        if call.code.co_firstlineno in starts:
            entering = [_enters(node) for node in ast.walk(function)]
            found |= {n.id for part in entering if part for n in ast.walk(part) if isinstance(n, ast.Name)}
    return found


def _enters(node: ast.AST) -> ast.expr | None:
    """The value that enters, if the node is a use of noise."""
    if _declarations(node) is None:
        return None
    call = cast(ast.Call, node)
    by_name = [keyword.value for keyword in call.keywords if keyword.arg == "value"]
    place = ENTERS[cast(ast.Attribute, call.func).attr]
    return by_name[0] if by_name else call.args[place] if place < len(call.args) else None


def _parameters(call: Call) -> tuple[str, ...]:
    return call.code.co_varnames[: call.code.co_argcount + call.code.co_kwonlyargcount]


def _part(node: ast.expr, path: tuple[Any, ...]) -> ast.expr:
    """The expression of a part of a literal, as far down as it is written out."""
    for step in path:
        if isinstance(node, ast.Tuple | ast.List) and isinstance(step, int) and step < len(node.elts):
            node = node.elts[step]
        elif isinstance(node, ast.Dict):
            values = [v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) == step]
            if not values:
                return node
            node = values[0]
        else:
            return node
    return node


def _header_only(statement: ast.stmt) -> ast.AST:
    """A compound statement without its body."""
    if isinstance(statement, ast.For):
        return ast.copy_location(ast.Tuple(elts=[statement.iter], ctx=ast.Load()), statement)
    if isinstance(statement, ast.If | ast.While):
        return ast.copy_location(ast.Tuple(elts=[statement.test], ctx=ast.Load()), statement)
    if isinstance(statement, ast.With):
        parts = [item.context_expr for item in statement.items]
        return ast.copy_location(ast.Tuple(elts=parts, ctx=ast.Load()), statement)
    return statement


def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def _statement(file: str, line: int) -> ast.stmt | None:
    """The innermost statement that the line belongs to."""
    tree = _tree(file)
    around = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and _covers(n, line)] if tree else []
    return max(around, key=lambda n: (n.lineno, -(n.end_lineno or 0)), default=None)


def _headers(file: str, line: int) -> list[int]:
    """Lines of the control statements around a line within its function, the innermost first."""
    tree = _tree(file)
    if tree is None:
        return []
    functions = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and _covers(n, line)
    ]
    start = max((n.lineno for n in functions), default=0)
    lines = [n.lineno for n in ast.walk(tree) if isinstance(n, CONTROL) and _covers(n, line) and n.lineno >= start]
    return sorted(lines, reverse=True)


def _covers(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
