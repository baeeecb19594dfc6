"""Functions that draw linked Gaussian nodes together, whatever their plates: a block of the plan as source.

``precision_parts`` writes their joint precision node by node, with the entries between nodes as the rows of the data
have them; ``find_order`` and ``eliminate``, among the helpers, factor it; ``log_marginal`` is the density of the variances
with all of them integrated out, where there are variances; the update moves these and draws the nodes.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Ref, Variable
from deriver.derivation.links import Link
from deriver.emission.block_words import (
    joined_names,
    linked_marginal_words,
    linked_watch_words,
    linked_words,
    parts_words,
)
from deriver.emission.coordinates import LARGEST_TERM
from deriver.emission.gibbs import PARAMETERS
from deriver.emission.printer import print_expression
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.statements import write_assignment, write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import Quantity, unsupported
from deriver.plan.records import Block, BlockMember, Plan

HELPERS = (
    *("draw_linked", "eliminate", "elimination", "factor_corner", "join_links", "joint_steps"),
    *("link_of", "part_of", "places", "some_elements", "too_wide"),
)
STATE = ("state: State", "data: Data")
PARTS = "precision_parts"


def linked_names(plan: Plan) -> str:
    """Return the names of the nodes that are drawn together, "" where there are none."""
    if plan.block is None or plan.block.structure != "linked":
        return ""
    return joined_names(members_of(plan.block))


def members_of(block: Block) -> tuple[BlockMember, ...]:
    """Return the nodes that are drawn together, in the order of their numbers."""
    return (*block.effects, *block.shared)


def parts_function(module: Module, block: Block) -> FunctionView:
    """Return ``precision_parts``: the joint precision and the gradient, node by node and between nodes."""
    module.needs.helpers |= {"part_of", "link_of"}
    members = members_of(block)
    source = module.source()
    source.taken |= {"parts", "links"}
    source.taken |= {f"at_{member.node}" for member in members} | {
        f"part_{member.node}" for member in members
    }
    _write_places(module, source, block)
    for member in members:
        own = source.within(member.space)
        target = member.conditional.target
        precision = write_parameter(own, member.precision, target, f"precision_{member.node}")
        linear = write_parameter(own, member.linear, target, f"linear_{member.node}")
        sides = str(len(member.conditional.shape))
        arguments = [f"state.{member.node}", precision, linear, sides]
        source.lines += break_call(f"part_{member.node} = part_of(", arguments, ")", 1)
    names = [member.node for member in members]
    entries: list[str] = []
    for member in members:
        for name in dict.fromkeys(link.name for link in member.links):
            other = members[names.index(name)]
            found = [
                _write_link(module, source, member, other, link) for link in member.links if link.name == name
            ]
            if len(found) > 1:
                module.needs.helpers.add("join_links")
            text = found[0] if len(found) == 1 else f"join_links({', '.join(found)})"
            entries.append(f"({names.index(member.node)}, {names.index(name)}): {text}")
    source.lines += break_call("parts = [", [f"part_{name}" for name in names], "]", 1)
    source.lines += break_call("links = {", entries, "}", 1)
    source.add("return parts, links")
    result = "tuple[list[Any], dict[tuple[int, int], Any]]"
    return make_function(PARTS, STATE, result, parts_words(block), source.lines)


def _write_places(module: Module, source: Source, block: Block) -> None:
    """Write the places of the elements of every node with indices, and let them be read like the node."""
    module.needs.helpers.add("places")
    for member in block.effects:
        name = f"at_{member.node}"
        source.add(f"{name} = places(state.{member.node}, {len(member.conditional.shape)})")
        source.quantities[_key(member)] = places_quantity(source, member.node, name)


def places_quantity(source: Source, node: str, name: str) -> Quantity:
    """Return the description of a local that holds the places of a node's elements."""
    own = source.quantity(node)
    return Quantity(name=name, indices=own.indices, ranges=own.ranges, chain=False, kind="integer")


def _key(member: BlockMember) -> str:
    return f"at_{member.node} (local)"


def _write_link(module: Module, source: Source, left: BlockMember, right: BlockMember, link: Link) -> str:
    """Write the entries of a link; return the name of what holds them."""
    rules = _solve(left, link)
    bounds = [sp.Tuple(*bound).xreplace(rules) for bound in link.bounds]
    ranges = [bound for bound in left.conditional.ranges if bound[0] not in rules]
    inside = source.within(module.plan.space.extend([*ranges, *bounds]))
    symbols = [bound[0] for bound in (*ranges, *bounds)]
    axes = inside.space.axes(symbols)
    slope = link.slope.xreplace(rules)
    hint = f"{left.node}_{right.node}"
    frame = Frame(axes=axes, chain=True, sides=count_sides(slope))
    value = write_assignment(inside, slope, frame, f"slope_{hint}")
    rows = _place(inside, left, left.conditional.target.xreplace(rules).indices, axes)
    columns = _place(inside, right, tuple(at.xreplace(rules) for at in link.at), axes)
    name = source.fresh(f"link_{hint}")
    arguments = [f"part_{left.node}", f"part_{right.node}", f"({rows}, {columns})", value, str(len(axes))]
    source.lines += break_call(f"{name} = link_of(", arguments, ")", 1)
    return name


def _solve(member: BlockMember, link: Link) -> dict[Symbol, Expr]:
    """Return the member's own indices in terms of those summed over, as the conditions of a link have them."""
    rules: dict[Symbol, Expr] = {}
    for condition in link.conditions:
        sides = (condition.left, condition.right)
        own = [side for side in sides if side in member.conditional.indices and side not in rules]
        if condition.relation != "=" or len(own) != 1:
            raise unsupported(
                f"{link.name}, on which {member.node} depends for a part of the rows", "leave --blocks off"
            )
        rules[own[0]] = sides[1] if sides[0] is own[0] else sides[0]
    return rules


def _place(source: Source, member: BlockMember, indices: tuple[Expr, ...], axes: tuple) -> str:
    """Return the text of the places of elements, in the axes of a link."""
    if not member.conditional.indices:
        return "0"
    ref = Ref(Variable(_key(member)), *indices)
    return print_expression(source, ref, Frame(axes=axes, chain=False)).text


# --- the density and the update -----------------------------------------------------------------------------


def marginal_function(module: Module, block: Block, sums: dict[Expr, str]) -> FunctionView:
    """Return ``log_marginal``: the density of the variances, and what the nodes are drawn from; ``sums`` are known."""
    source = module.source()
    source.taken |= {"order", "value", "share", "kept", "found", "sums"}
    for part, name in sums.items():
        source.remember(part, name, source.frame_of(part))
        source.taken.add(name)
    if sums:
        source.add(
            f"{', '.join(sums.values())} = sums" if len(sums) > 1 else f"({', '.join(sums.values())},) = sums"
        )
    kernel = write_parameter(source, block.kernel, block.variances[0].conditional.target, "log_kernel")
    source.add(f"parts, links = {PARTS}(state, data)")
    source.add("share, *found = eliminate(parts, links, order)")
    source.add(f"value = {kernel} + share")
    source.add("# The sums that cancel must leave some digits.")
    source.add(f"kept = np.abs({kernel}) < {LARGEST_TERM} * (1 + np.abs(value))")
    source.add("return np.where(kept, value, -np.inf), *found")
    parameters = (*STATE, "order: Elimination", *(["sums: tuple[Array, ...]"] if sums else []))
    return make_function(
        "log_marginal", parameters, "tuple[Array, ...]", linked_marginal_words(block), source.lines
    )


def draw_function(module: Module, block: Block, name: str) -> FunctionView:
    """Return the function that draws the nodes together, where no variance is moved with them."""
    module.needs.helpers |= {"draw_linked", "joint_steps"}
    source = module.source()
    source.add(f"parts, links = {PARTS}(state, data)")
    source.add("if steps.data is not data:")
    source.add("    steps.data, steps.order = data, find_order(parts, links)")
    source.add("_, *found = eliminate(parts, links, steps.order)")
    source.add("drawn = draw_linked(rng, steps.order, *found)")
    source.lines += break_call("return replace(", ["state", *_moved(block, "state")], ")", 1)
    doc = [f"Draw {joined_names(members_of(block))} together.", linked_words(block)]
    return make_function(name, (*PARAMETERS, "steps: JointSteps"), "State", doc, source.lines)


def update_function(module: Module, block: Block, name: str, with_sums: bool) -> FunctionView:
    """Return the function that moves the variances and draws the nodes together.

    Where the density depends on no node outside the block, it is seen from an anchor, a state that stays, so that it
    is known at the current value from the sweep before.
    """
    module.needs.helpers |= {"draw_linked", "block_steps", "block_move", "first_block_steps"}
    source = module.source()
    cached = not block.rest
    kept = ["order", *(["state"] if cached else []), *(["sums"] if cached and with_sums else [])]
    values = [f"find_order(*{PARTS}(state, data))", *(["state"] if cached else [])]
    values += ["marginal_sums(state, data)"] if cached and with_sums else []
    source.add("if not steps.anchor or steps.anchor[0] is not data:")
    source.lines += break_call("steps.anchor = (", ["data", *values], ")", 2)
    source.add(
        f"{', '.join('anchor' if k == 'state' else k for k in kept)} = steps.anchor[1{':' if len(kept) > 1 else ''}]"
    )
    if with_sums and not cached:
        source.add("sums = marginal_sums(state, data)")
    base = "anchor" if cached else "state"
    source.add("")
    source.add("def log_target(u: Array) -> tuple[Array, ...]:")
    source.add(f"    moved, log_jacobian = from_coordinates({base}, data, u)")
    arguments = ["moved", "data", "order", *(["sums"] if with_sums else [])]
    source.add(f"    value, *found = log_marginal({', '.join(arguments)})")
    source.add("    return value + log_jacobian, *found")
    source.add("")
    source.add("u = to_coordinates(state, data)")
    seen = ["data", *(f"state.{step.node}" for step in block.variances)]
    if cached:
        source.lines += break_call("known = steps.recall(", seen, ")", 1)
    known = ", known" if cached else ""
    source.add(f"u, accepted, (_, *found) = block_move(rng, u, log_target, steps{known})")
    source.add("state = from_coordinates(state, data, u)[0]")
    if cached:
        source.lines += break_call("steps.seen = (", [seen[0], *seen[1:]], ")", 1)
    source.add("drawn = draw_linked(rng, order, *found)")
    source.lines += break_call("state = replace(", ["state", *_moved(block, base)], ")", 1)
    source.add("return state, accepted")
    variances = ", ".join(step.node for step in block.variances)
    doc = [f"Update {variances}, then draw {joined_names(members_of(block))} together.", linked_words(block)]
    parameters = (*PARAMETERS, "steps: BlockSteps")
    return make_function(name, parameters, "tuple[State, Array]", doc, source.lines)


def _moved(block: Block, base: str) -> list[str]:
    """Return the nodes with what was drawn added to where they are seen from."""
    return [
        f"{m.node}={base}.{m.node} + drawn[{number}].reshape(state.{m.node}.shape)"
        for number, m in enumerate(members_of(block))
    ]


def watch_function(module: Module, block: Block) -> FunctionView:
    """Return ``watch``, the values whose mixing tells whether the block pays."""
    module.needs.helpers |= {"least_mixing", "some_elements"}
    parts = ["to_coordinates(state, data)"] if block.variances else []
    parts += [f"some_elements(state.{member.node})" for member in members_of(block)]
    body = [*break_call("parts = [", parts, "]", 1), "    return np.concatenate(parts, axis=1)"]
    return make_function("watch", STATE, "Array", [linked_watch_words(block)], body)
