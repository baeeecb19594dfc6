"""Emitted samplers broken on purpose, by edits of their syntax trees that follow from the names in the source.

Five ways, each a slip that people make: a factor of 2, a missing Jacobian, one degree of freedom too many, one group
left out, a Newton step used as an independence proposal (its reverse density from the wrong end, or none at all).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

FUNCTIONS = ("draw_", "update_")
WEIGHTS = ("precision", "scale", "rate", "inverse_scale")
DEGREES = {"df": "1", "shape": "0.5"}  # a gamma shape is half the degrees of freedom
LEAVE_OUT = """
def leave_out(array):
    left = np.array(array)
    left[:, 0] = 0
    return left
"""

# An edit changes a function of a tree in place, and returns whether there was something to change.
Edit = Callable[[ast.FunctionDef], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One broken sampler: how it is broken, and the node whose update is wrong."""

    kind: str
    node: str
    source: str


def double_a_weight(function: ast.FunctionDef) -> bool:
    """Put a factor of 2 before a precision, a rate or a scale."""
    return _wrap_values(function, WEIGHTS, "2 * {}")


def add_a_degree_of_freedom(function: ast.FunctionDef) -> bool:
    """Add 1 to the degrees of freedom, or 1/2 to a shape."""
    return any(_wrap_values(function, (name,), f"{{}} + {more}") for name, more in DEGREES.items())


def leave_out_a_group(function: ast.FunctionDef) -> bool:
    """Leave the first group out of the first sum over groups, and out of deviations."""
    if _wrap_values(function, ("deviation",), "leave_out({})"):
        return True
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="sum"), args=[ast.Attribute(value=ast.Name(id="state"))],
                keywords=[ast.keyword(arg="axis", value=ast.Constant(value=1))],
            ):  # fmt: skip
                node.args = [_expression("leave_out({})", node.args[0])]
                return True
    return False


def forget_the_jacobian(function: ast.FunctionDef) -> bool:
    """Return the log kernel alone where the Jacobian of the move's scale is added to it."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.BinOp):
            first = node.value
            while isinstance(first.left, ast.BinOp):
                first = first.left
            if isinstance(first.left, ast.Name) and first.left.id == "log_kernel":
                node.value = first.left
                return True
    return False


def reverse_from_the_wrong_end(function: ast.FunctionDef) -> bool:
    """Take the reverse density of a Newton step at the place where it began, as an independence proposal has it."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="log_proposal"), args=[_, ast.Name(id="back"), ast.Name()]):
                node.args[1:] = [ast.Name(id="centre"), ast.Name(id="root")]
                return True
    return False


def accept_every_step(function: ast.FunctionDef) -> bool:
    """Take every Newton step, as if it were a draw of the conditional."""
    return _wrap_values(function, ("taken",), "({}) | ~far")


# kind: (edit, whether it is of one node's function or of a helper)
EDITS: dict[str, Edit] = {
    "a factor of 2": double_a_weight,
    "a missing Jacobian": forget_the_jacobian,
    "a degree of freedom too many": add_a_degree_of_freedom,
    "one group left out": leave_out_a_group,
}
NEWTON_EDITS: dict[str, Edit] = {
    "Newton step, reverse density from the wrong end": reverse_from_the_wrong_end,
    "Newton step, always taken": accept_every_step,
}
KINDS = (*EDITS, *NEWTON_EDITS)


def list_faults(source: str) -> Iterator[Fault]:
    """Yield every way to break a sampler; one line of one function is wrong in each."""
    tree = ast.parse(source)
    functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    for name in [name for name in functions if name.startswith(FUNCTIONS)]:
        node = name.partition("_")[2]
        for kind, edit in EDITS.items():
            yield from _broken(tree, name, kind, node, edit)
        if any(isinstance(n, ast.Name) and n.id == "newton_step" for n in ast.walk(functions[name])):
            for kind, edit in NEWTON_EDITS.items():
                yield from _broken(tree, "newton_step", kind, node, edit)


def _broken(tree: ast.Module, name: str, kind: str, node: str, edit: Edit) -> Iterator[Fault]:
    broken = deepcopy(tree)
    function = next(f for f in broken.body if isinstance(f, ast.FunctionDef) and f.name == name)
    if edit(function):
        source = ast.unparse(ast.fix_missing_locations(broken))
        yield Fault(kind=kind, node=node, source=source + "\n" + LEAVE_OUT)


def _wrap_values(function: ast.FunctionDef, names: tuple[str, ...], pattern: str) -> bool:
    """Put the value of the first assignment to one of the names into a pattern."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name in names:
                node.value = _expression(pattern, node.value)
                return True
    return False


def _expression(pattern: str, inner: ast.expr) -> ast.expr:
    return ast.parse(pattern.format(f"({ast.unparse(inner)})"), mode="eval").body
