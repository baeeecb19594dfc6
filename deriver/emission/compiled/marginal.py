"""The compiled log density of a block's variances, its Gaussian nodes integrated out group by group.

``marginal_sums`` gives the sums that stay while the variances move, ``log_marginal`` the density and what the shared
nodes are drawn from.  The algebra is that of ``derivation.marginal``; A = LDL' is eliminated component by component, so that the loop over groups vectorises, and the
logarithms of the determinants are taken of products.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr

from deriver.emission.block_words import joined_names, marginal_words
from deriver.emission.blocks import staying_sums
from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body, Value
from deriver.emission.compiled.chain_marginal import write_chain_mean
from deriver.emission.compiled.functions import new_body
from deriver.emission.compiled.indices import loops, positions
from deriver.emission.compiled.scalars import LARGEST_SIDE, ZERO, scalar, value, write_sums
from deriver.emission.compiled.unrolled import Matrix
from deriver.emission.coordinates import LARGEST_TERM, SMALLEST_SHARE
from deriver.emission.scope import Module, make_function
from deriver.emission.text import Text, atom, call, join_product, join_sum
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Block, BlockMember


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many numbers a block holds: of the effects of one group, of the shared nodes, of sums that stay."""

    effects: int
    shared: int
    sums: int

    @property
    def found(self) -> int:
        """Return how many numbers say what the shared nodes are drawn from."""
        return self.shared * (self.shared + 3) // 2


def marginal_functions(
    module: Module, sizes: dict[Expr, Expr], block: Block
) -> tuple[list[FunctionView], Sizes]:
    """Return ``marginal_sums`` (where there are any) and ``log_marginal``, and their sizes."""
    if block.structure == "linked":
        names = joined_names((*block.effects, *block.shared))
        raise unsupported(
            f"{names}, of several plates, drawn together", "use the numpy backend, or --blocks off"
        )
    body = new_body(module, sizes)
    total = Sizes(effects=_count(body, block.effects), shared=_count(body, block.shared), sums=0)
    if max(total.effects, total.shared) > LARGEST_SIDE:
        names = joined_names(block.effects if total.effects > LARGEST_SIDE else block.shared)
        raise unsupported(
            f"{names} with more than {LARGEST_SIDE} components, integrated out", "use the numpy backend"
        )
    parts = staying_sums(module, block)
    views, known, number = _sums_function(module, sizes, parts)
    density = _density_function(module, sizes, block, known)
    return [*views, density], Sizes(effects=total.effects, shared=total.shared, sums=number)


def _count(body: Body, members: tuple[BlockMember, ...]) -> int:
    return sum(_width(body, member) for member in members)


def _width(body: Body, member: BlockMember) -> int:
    return body.side(member.conditional.shape[0]) if member.conditional.shape else 1


# --- sums that stay -----------------------------------------------------------------------------------------


def _sums_function(
    module: Module, sizes: dict[Expr, Expr], parts: list[Expr]
) -> tuple[list[FunctionView], dict[Expr, Value], int]:
    """Return ``marginal_sums``, where each sum lies in its array, and the length of that."""
    if not parts:
        return [], {}, 0
    body = new_body(module, sizes)
    body.taken.add("sums")
    write_sums(body, parts)
    known: dict[Expr, Value] = {}
    number = 0
    for part in parts:
        known[part], number = _write_out(body, value(body, part), number)
    doc = ["Put the sums in log_marginal that stay while the variances move into sums."]
    parameters = ("state: State", "data: Data", "sums: Array")
    return [make_function("marginal_sums", parameters, "None", doc, body.lines())], known, number


def _write_out(body: Body, made: Value, number: int) -> tuple[Value, int]:
    if isinstance(made, Text):
        body.assign(f"sums[{number}]", made)
        return atom(f"sums[{number}]"), number + 1
    found = []
    for part in made:
        own, number = _write_out(body, part, number)
        found.append(own)
    return found, number  # type: ignore[return-value]


# --- the density --------------------------------------------------------------------------------------------


def _density_function(
    module: Module, sizes: dict[Expr, Expr], block: Block, known: dict[Expr, Value]
) -> FunctionView:
    body = new_body(module, sizes)
    body.taken |= {"sums", "dets", "found", "value", "kept", "largest"}
    for part, where in known.items():
        body.remember(part, where)
    module.needs.helpers.add("sum_logs")
    chained, columns = block.structure == "chain", 1 + _count(body, block.shared)
    inner = write_chain_mean(module, body, block, columns) if chained else []
    write_sums(body, [block.kernel, *(e for m in block.shared for e in (m.precision, m.linear))])
    body.assign("value", scalar(body, block.kernel))
    body.add("largest = abs(value)")
    inner = inner if chained else _integrate(body, block)
    body.add(
        "value -= sum_logs(dets) / 2" if chained else f"value += ({inner[0][0].text} - sum_logs(dets)) / 2"
    )
    body.add(f"kept = largest < {LARGEST_TERM} * (1.0 + abs(value))  # digits, of the sums that cancel")
    if block.shared:
        _complete_square(body, block, inner)
    body.add("return value if kept else -math.inf")
    parameters = [
        "state: State",
        "data: Data",
        *(["sums: Array"] if known else []),
        "dets: Array",
        "found: Array",
    ]
    return make_function(
        "log_marginal", parameters, "float", marginal_words(block, compiled=True), body.lines()
    )


def _integrate(body: Body, block: Block) -> Matrix:
    """Write the sums over groups of [c, B]' inv(A) [c, B], and |A| of each group into ``dets``."""
    columns = 1 + _count(body, block.shared)
    inner: Matrix = [[ZERO] * columns for _ in range(columns)]
    for a in range(columns):
        for b in range(a + 1):
            inner[a][b] = inner[b][a] = atom(body.fresh(f"inner_{a}{b}"))
            body.add(f"{inner[a][b].text} = 0.0")
    first = block.effects[0].conditional
    with loops(body, list(first.ranges)):
        precision, right = _system(body, block)
        pivots = eliminate(body, precision, right)
        inverse = [
            unrolled.named(body, f"inv_d_{k}", join_product([], [pivot])) for k, pivot in enumerate(pivots)
        ]
        for a in range(columns):
            scaled = [_times(row[a], over) for row, over in zip(right, inverse, strict=True)]
            named = [cell if cell.text == "0" else unrolled.named(body, f"w_{a}", cell) for cell in scaled]
            for b in range(a + 1):
                total = unrolled.sum_products([(w, row[b]) for w, row in zip(named, right, strict=True)])
                if total.text != "0.0":
                    body.assign(inner[a][b].text, total, "+=")
        where = ", ".join(positions(body, first.target))
        body.assign(f"dets[{where}]", join_product(pivots, []))
    return inner


def _times(left: Text, right: Text) -> Text:
    return ZERO if left.text == "0" else join_product([left, right], [])


def eliminate(body: Body, matrix: Matrix, right: Matrix) -> list[Text]:
    """Write the elimination of A = LDL' from ``right``, which becomes inv(L) right; return the pivots D."""
    size = len(matrix)
    rows = [list(row) for row in matrix]
    for k in range(size):
        for a in range(k + 1, size):
            if rows[a][k].text == "0":
                continue
            share = unrolled.named(body, f"l_{a}{k}", join_product([rows[a][k]], [rows[k][k]]))
            for b in range(k + 1, a + 1):
                rows[a][b] = _less(body, f"d_{a}" if a == b else f"A_{a}{b}", rows[a][b], share, rows[b][k])
            right[a] = [
                _less(body, f"r_{a}", cell, share, above)
                for cell, above in zip(right[a], right[k], strict=True)
            ]
    return [rows[k][k] for k in range(size)]


def _less(body: Body, hint: str, cell: Text, share: Text, above: Text) -> Text:
    """Return cell - share × above under a name."""
    if above.text == "0":
        return cell
    product = join_product([share, above], [])
    terms = [(True, product)] if cell.text == "0" else [(False, cell), (True, product)]
    return unrolled.named(body, hint, join_sum(terms))


def _system(body: Body, block: Block) -> tuple[Matrix, Matrix]:
    """Write, for one group, the precision A of all effects together and [c, B], seen from their values."""
    effects = block.effects
    exprs = [expr for m in effects for expr in (m.precision, m.linear, *(slope for _, slope in m.slopes))]
    write_sums(body, exprs)
    precision = assemble(body, effects)
    values = [cell for effect in effects for cell in _cells(body, effect.conditional.target)]
    linear = [cell for effect in effects for cell in _cells(body, effect.linear)]
    own = _blocks(body, effects)
    right: Matrix = []
    for a, cell in enumerate(linear):
        start, stop = own[a]
        pairs = [(precision[a][b], values[b]) for b in range(start, stop)]
        gradient = unrolled.named(body, f"c_{a}", unrolled.minus_products(cell, pairs))
        right.append([gradient])
    row = 0
    for effect in effects:
        width = _width(body, effect)
        for other in block.shared:
            cells = _slope_cells(body, effect, other)
            for a in range(width):
                right[row + a] += [_plain(body, f"B_{row + a}", cell) for cell in cells[a]]
        row += width
    return precision, right


def _plain(body: Body, hint: str, cell: Text) -> Text:
    """Return a cell as a name, a number or an element."""
    return cell if cell.text.replace("_", "").replace(".", "").isalnum() else unrolled.named(body, hint, cell)


def _blocks(body: Body, members: tuple[BlockMember, ...]) -> list[tuple[int, int]]:
    """Return, for each component, where the components of its own node begin and end."""
    found: list[tuple[int, int]] = []
    for member in members:
        start, width = len(found), _width(body, member)
        found += [(start, start + width)] * width
    return found


def assemble(body: Body, members: tuple[BlockMember, ...]) -> Matrix:
    """Write the precision of several nodes together: their own on the diagonal, minus the slopes off it."""
    total = _count(body, members)
    made: Matrix = [[ZERO] * total for _ in range(total)]
    row = 0
    for place_, member in enumerate(members):
        own = _grid(body, member.precision)
        for a, cells in enumerate(own):
            for b in range(a + 1):
                cell = _plain(body, f"A_{row + a}{row + b}", cells[b])
                made[row + a][row + b] = made[row + b][row + a] = cell
        column = 0
        for other in members[:place_]:
            for a, line in enumerate(_slope_cells(body, member, other)):
                for b, cell in enumerate(line):
                    minus = _minus(body, f"A_{row + a}{column + b}", cell)
                    made[row + a][column + b] = made[column + b][row + a] = minus
            column += _width(body, other)
        row += len(own)
    return made


def _minus(body: Body, hint: str, cell: Text) -> Text:
    return ZERO if cell.text == "0" else unrolled.named(body, hint, join_sum([(True, cell)]))


def _cells(body: Body, expr: Expr) -> list[Text]:
    """Return the components of a number or vector."""
    made = value(body, expr)
    return [made] if isinstance(made, Text) else made  # type: ignore[return-value]


def _grid(body: Body, expr: Expr) -> Matrix:
    made = value(body, expr)
    return [[made]] if isinstance(made, Text) else made  # type: ignore[return-value]


def _slope_cells(body: Body, member: BlockMember, other: BlockMember) -> Matrix:
    """Return a slope as a matrix, rows of the member's components: zeros where there is none."""
    rows, columns = _width(body, member), _width(body, other)
    slope = member.slope(other.node)
    if slope is None:
        return [[ZERO] * columns for _ in range(rows)]
    made = value(body, slope)
    if isinstance(made, Text):
        return [[made]]
    if isinstance(made[0], list):
        return made
    return [list(made)] if not member.conditional.shape else [[cell] for cell in made]


def _complete_square(body: Body, block: Block, inner: Matrix) -> None:
    """Write the square of the shared nodes, and their factor and half solution into ``found``."""
    own = assemble(body, block.shared)
    values = [cell for member in block.shared for cell in _cells(body, member.conditional.target)]
    linear = [cell for member in block.shared for cell in _cells(body, member.linear)]
    size, blocks = len(own), _blocks(body, block.shared)
    gradient = []
    for a, cell in enumerate(linear):
        pairs = [(own[a][b], values[b]) for b in range(*blocks[a])]
        terms = [(False, unrolled.minus_products(cell, pairs)), (False, inner[a + 1][0])]
        whole = join_sum([term for term in terms if term[1].text != "0"])
        gradient.append(unrolled.named(body, f"g_{a}", whole))
    cells = [
        [join_sum([(False, own[a][b]), (True, inner[a + 1][b + 1])]) for b in range(size)]
        for a in range(size)
    ]
    lower = unrolled.write_cholesky(body, cells, "S")
    half = unrolled.write_forward(body, lower, gradient, "half")
    body.assign("value", join_product([unrolled.sum_products([(h, h) for h in half])], [atom("2")]), "+=")
    for a in range(size):
        if inner[a + 1][a + 1].text != "0":
            taken_off = join_product([atom(SMALLEST_SHARE), inner[a + 1][a + 1]], [])
            body.add(f"kept = kept and {lower[a][a].text} ** 2 > {taken_off.text}")
    diagonal = join_product([lower[a][a] for a in range(size)], [])
    body.assign("value", call("math.log", diagonal.text), "-=")
    entries = [lower[a][b] for a in range(size) for b in range(a + 1)]
    for k, cell in enumerate([*entries, *half]):
        body.assign(f"found[{k}]", cell)
