"""Hoisting: sums over plates of data alone are taken out of the sweep and computed once.

A sum whose summand is linear in the parameters is multiplied out and split into parameter × sum of data:
Σ_j x(y − β₀) becomes Σ_j xy − β₀ Σ_j x, and Σ_ij β_i x_ij becomes Σ_i β_i (Σ_j x_ij).  The square of a residual
is not multiplied out, as that would lose all digits where the mean is large: ``residuals`` tells what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr, S, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Condition, PlateSum, Ref, index_symbol, inner, transpose
from deriver.algebra.normal_form import sum_over
from deriver.derivation.factors import Definitions, substitute
from deriver.plan.columns import first_column, known_groups, unused_index
from deriver.plan.conditions import narrow
from deriver.plan.layout import Quantity, Space, free_indices
from deriver.plan.records import Reduction, Statistic
from deriver.plan.registry import Registry
from deriver.plan.residuals import block_sides, read_residual, squared_distance
from deriver.plan.swapping import Swapped, multiply_out, swap_sums


class Hoisting:
    """Rewrites expressions, and collects the statistics that it takes out of them."""

    def __init__(
        self,
        quantities: dict[str, Quantity],
        codomain: Callable[[str], tuple[Symbol, Expr, Expr] | None],
        cells: Sequence[str] = (),
        definitions: Definitions | None = None,
    ) -> None:
        self.quantities = quantities
        self.codomain = codomain
        self.definitions = definitions or Definitions(())
        self.registry = Registry(quantities, cells)
        self.reductions: list[Reduction] = []

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """Return the statistics in an order in which they can be computed."""
        return tuple(self.registry.statistics.values())

    def rewrite(self, expr: Expr, space: Space) -> Expr:
        """Return the expression with every sum of data alone replaced by a named statistic."""
        if not isinstance(expr, sp.Basic) or isinstance(expr, Ref) or not expr.args:
            return expr
        match expr:
            case PlateSum():
                return self._sum(expr, space)
            case heads.Gated():
                return self._gated(expr, space)
            case heads.Inner():
                return self._closed(expr, space)
        if self.data_only(expr) and _is_costly(expr):
            return self._hoist(expr, space)
        if isinstance(expr, sp.Mul) and not expr.is_commutative:
            return self._product(expr, space)
        args = [self.rewrite(arg, space) if isinstance(arg, Expr) else arg for arg in expr.args]
        return spread_number(expr if list(expr.args) == args else expr.func(*args))

    def data_only(self, expr: sp.Basic) -> bool:
        """Tell whether an expression mentions no node."""
        return not any(self.quantities[ref.name].chain for ref in expr.atoms(Ref))

    def _gated(self, expr: Expr, space: Space) -> Expr:
        body, conditions = expr.args
        inside, rules, _ = narrow(space, list(conditions))
        return heads.Gated(self.rewrite(body.xreplace(rules), inside), conditions)

    def _closed(self, expr: Expr, space: Space) -> Expr:
        if self.data_only(expr):
            return self._hoist(expr, space)
        inside = self.rewrite(expr.args[0], space)
        return expr if inside == expr.args[0] else inner(inside)

    def _product(self, expr: sp.Mul, space: Space) -> Expr:
        """Hoist the runs of data among the factors of a matrix product."""
        scalars, factors = expr.args_cnc()
        result: list[Expr] = [self.rewrite(scalar, space) for scalar in scalars]
        run: list[Expr] = []
        for factor in [*factors, None]:
            if factor is not None and self.data_only(factor):
                run.append(factor)
                continue
            if run:
                product = sp.Mul(*run)
                costly = _is_costly(product) or len(run) > 1 and not free_indices(product, space)
                result.append(self._hoist(product, space) if costly else product)
                run = []
            if factor is not None:
                result.append(self.rewrite(factor, space))
        return spread_number(sp.Mul(*result))

    # --- sums ---------------------------------------------------------------------------------------------

    def _sum(self, expr: PlateSum, space: Space) -> Expr:
        if self.data_only(expr):
            plain = sum_over(expr.body, expr.bounds, expr.conditions)
            return self._hoist(plain, space) if _is_costly(plain) else plain
        inside = space.extend(expr.bounds)
        body = expr.body.xreplace(known_groups(expr))
        made = [self._multiplied_out(term, inside, expr.bound_symbols) for term in sp.Add.make_args(body)]
        terms = sp.Add.make_args(sp.Add(*made))
        return sp.Add(*(self._term(term, expr.bounds, expr.conditions, space) for term in terms))

    def _multiplied_out(self, body: Expr, inside: Space, bound: set[Symbol]) -> Expr:
        """Return a summand with a product by a sum multiplied out, where that sets data free.

        A product of two sums (dd′, or residual × residual) stays as it is.
        """
        if not isinstance(body, sp.Mul) or not any(isinstance(f, sp.Add) for f in body.args):
            return body
        data = [ref for ref in body.atoms(Ref) if not self.quantities[ref.name].chain]
        if not any(free_indices(ref, inside) & bound for ref in data):
            return body
        if sum(isinstance(factor, sp.Add) for factor in body.args) == 1:
            made = sp.expand_mul(body, deep=False)
        else:
            made = multiply_out(body, self.data_only)
        if made == body:
            return body
        return sp.Add(*(self._multiplied_out(term, inside, bound) for term in sp.Add.make_args(made)))

    def _term(self, term: Expr, bounds: sp.Tuple, conditions: sp.Tuple, space: Space) -> Expr:
        """Sum one product: what the bound indices do not touch comes out, then the rest is looked at."""
        symbols = {bound[0] for bound in bounds}
        whole = sum_over(term, tuple(bounds), tuple(conditions))
        rules = {}
        for part in sp.ordered(whole.atoms(PlateSum)):
            if {bound[0] for bound in part.bounds} & symbols and not _inside_another(part, whole):
                rules[part] = self._core(part, space)
        return _replace(whole, rules)

    def _core(self, part: PlateSum, space: Space) -> Expr:
        if self.data_only(part):
            return self._hoist(part, space)
        attempts = (
            self._split_definition,
            self._split_sums,
            self._split_residual,
            self._split_inner,
            self._split_quadratic,
            self._split_levels,
            self._split_groups,
        )
        for attempt in attempts:
            found = attempt(part, space)
            if found is not None:
                return found
        inside = space.extend(part.bounds)
        return PlateSum(self.rewrite(part.body, inside), part.bounds, part.conditions)

    def _split_definition(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ_j (y_j − η_j)² with a deterministic η_j as if it were written out, where that sets data free."""
        inside = space.extend(part.bounds)
        rules = {
            ref: self.definitions.expand(self.definitions.at(ref))
            for ref in part.body.atoms(Ref)
            if self.definitions.defines(ref.name) and free_indices(ref, inside) & part.bound_symbols
        }
        if not rules:
            return None
        plain = PlateSum(substitute(part.body, rules), part.bounds, part.conditions)
        body = self.rewrite(plain, space)
        return None if body == plain else body

    def _split_sums(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ_k x_k Σ_d β_d w_kd = Σ_d β_d (Σ_k x_k w_kd)."""
        found = swap_sums(part, self.data_only)
        if found is None:
            return None
        return sp.Add(*(self._swapped(each, space) for each in found))

    def _swapped(self, found: Swapped, space: Space) -> Expr:
        rewritten = self.rewrite(found.summed, space.extend(found.bounds))
        return found.outside * sum_over(found.around * rewritten, found.bounds, found.conditions)

    def _split_inner(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ s·x′β·C = (Σ s·C x′) β when β is free of the indices summed over."""
        symbols = {bound[0] for bound in part.bounds}
        scalars, matrices = part.body.args_cnc() if part.body.is_Mul else ([part.body], [])
        for place, scalar in enumerate(scalars):
            if not isinstance(scalar, heads.Inner):
                continue
            split = _split_chain(scalar.args[0], symbols)
            if split is None:
                continue
            left, middle, right = split
            rest = sp.Mul(*scalars[:place], *scalars[place + 1 :])
            if not matrices:
                row = heads.shape_of(middle)[0] is None  # statistics are columns
                summed = self._sum_of(rest * (transpose(middle) if row else middle), part, space)
                return inner(left * (transpose(summed) if row else summed) * right)
            if left == 1:
                return self._sum_of(rest * sp.Mul(*matrices) * middle, part, space) * right
            if right == 1:
                turned = transpose(middle)
                return self._sum_of(rest * sp.Mul(*matrices) * turned, part, space) * transpose(left)
        return None

    def _sum_of(self, body: Expr, part: PlateSum, space: Space) -> Expr:
        return self.rewrite(PlateSum(body, part.bounds, part.conditions), space)

    def _split_quadratic(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ d′Qd = tr(Q Σ dd′) when Q is free of the indices summed over."""
        symbols = {bound[0] for bound in part.bounds}
        scalars, matrices = part.body.args_cnc() if part.body.is_Mul else ([part.body], [])
        quadratic = next((s for s in scalars if isinstance(s, heads.Inner)), None)
        if quadratic is None or matrices:
            return None
        numbers, factors = quadratic.args[0].args_cnc()
        middle = sp.Mul(*factors[1:-1])
        if len(factors) < 3 or middle.free_symbols & symbols or not _is_matrix(middle):
            return None
        rest = sp.Mul(*numbers, *(s for s in scalars if s is not quadratic))
        return heads.trace(middle * self._sum_of(rest * factors[-1] * factors[0], part, space))

    def _split_levels(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ_ij β_i x_ij = Σ_i β_i (Σ_j x_ij)."""
        inside = space.extend(part.bounds)
        outer = self._state_indices(part.body, inside)
        for symbol in list(outer):
            outer |= inside.parents(symbol)
        bounds = list(part.bounds)
        summed = [bound for bound in bounds if bound[0] not in outer]
        kept = [bound for bound in bounds if bound[0] in outer]
        if not summed or not kept or any(inside.parents(b[0]) & {s[0] for s in summed} for b in kept):
            return None
        symbols = {bound[0] for bound in summed}
        within = [c for c in part.conditions if c.free_symbols & symbols]
        around = [c for c in part.conditions if not c.free_symbols & symbols]
        body = self.rewrite(PlateSum(part.body, summed, within), space.extend(kept))
        if body == PlateSum(part.body, summed, within):
            return None
        return self._sum_around(body, kept, around, space)

    def _state_indices(self, body: Expr, inside: Space) -> set[Symbol]:
        """Return the indices on which nodes in the summand depend, by themselves or through a group column."""
        nodes = [ref for ref in body.atoms(Ref) if self.quantities[ref.name].chain]
        return set().union(*(free_indices(ref, inside) for ref in nodes))

    def _sum_around(self, body: Expr, bounds: list, conditions: list, space: Space) -> Expr:
        """Sum what a sum over rows has become over the cells, its terms of data alone hoisted."""
        data = sp.Add(*(term for term in sp.Add.make_args(body) if self.data_only(term)))
        rest = PlateSum(body - data, bounds, conditions)
        return rest if data == 0 else rest + self._hoist(PlateSum(data, bounds, conditions), space)

    def _split_groups(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ_k β[g[k]] x_k = Σ_i β_i (Σ of x_k over the k with g[k] = i).

        With several columns, g[k] and h[k], the sum goes over the distinct pairs that there are.
        """
        inside = space.extend(part.bounds)
        columns = self._columns_of(part, inside)
        if not columns or len(part.bounds) != 1:
            return None
        cells = self._group(columns[0], inside) if len(columns) == 1 else self._crossed(columns, inside)
        if cells is None:
            return None
        bound, rules, column = cells
        symbol = bound[0]
        members = PlateSum(part.body.xreplace(rules), part.bounds, [Condition("=", column, symbol)])
        around = [condition.xreplace(rules) for condition in part.conditions]
        body = self.rewrite(members, space.extend([bound]))
        return None if body == members else self._sum_around(body, [bound], around, space)

    def _columns_of(self, part: PlateSum, inside: Space) -> list[Ref]:
        """Return the group columns by which nodes, and conditions, reach their groups; none if there is another way."""
        columns: set[Ref | None] = set()
        for ref in part.body.atoms(Ref):
            if self.quantities[ref.name].chain and free_indices(ref, inside):
                own = [index for index in ref.indices if free_indices(index, inside) & part.bound_symbols]
                columns |= {first_column(index) for index in own}
        if not columns:
            return []
        for condition in part.conditions:
            left = condition.left
            picks = condition.relation == "=" and isinstance(condition.right, Symbol)
            columns.add(first_column(left) if picks else None)
        plates = {column.indices for column in columns if column is not None}
        if None in columns or len(plates) != 1 or any(self._is_unknown(column) for column in columns):
            return []
        return sorted((column for column in columns if column is not None), key=lambda ref: ref.name)

    def _is_unknown(self, column: Ref | None) -> bool:
        return column is None or len(column.indices) != 1 or self.codomain(column.name) is None

    def _group(self, column: Ref, inside: Space) -> tuple[sp.Tuple, dict[Expr, Expr], Ref]:
        """Return the groups of one column: their bound, what stands for the column, the column."""
        place = self.codomain(column.name)
        assert place is not None
        symbol = unused_index(place[0], inside)
        return sp.Tuple(symbol, *place[1:]), {column: symbol}, column

    def _crossed(self, columns: list[Ref], inside: Space) -> tuple[sp.Tuple, dict[Expr, Expr], Ref] | None:
        """Return the distinct combinations of several columns, as ``_group`` those of one."""
        row = columns[0].indices[0]
        if row not in inside.bounds:
            return None
        crossing = self.registry.crossing(columns, inside)
        if crossing is None:
            return None
        symbol = unused_index(index_symbol(crossing.cell), inside)
        own = (
            self.registry.ref(name).func(self.registry.ref(name).variable, symbol) for name in crossing.parts
        )
        rules = dict(zip(columns, own, strict=True))
        of_row = Ref(self.registry.ref(crossing.of_row).variable, row)
        return sp.Tuple(symbol, S.One, self.registry.ref(crossing.count)), rules, of_row

    # --- sums of squares ----------------------------------------------------------------------------------

    def _split_residual(self, part: PlateSum, space: Space) -> Expr | None:
        """Σ w(y − x′β)² = rss + (β − fit)′ X′X (β − fit) when β is free of the indices summed over."""
        residual = read_residual(part, space, self.data_only)
        if residual is None:
            return None
        fit = self.registry.fit(residual, part, space)
        rss, *parts = (self.registry.ref(name) for name in (fit.rss, *fit.fits, *fit.rests))
        fits, rests = parts[: len(fit.fits)], parts[len(fit.fits) :]
        near = tuple(c - high for c, high in zip(residual.coordinates, fits, strict=True))
        apart = tuple(distance - low for distance, low in zip(near, rests, strict=True))
        if fit.roots:
            blocks = dict(zip(block_sides(residual), fit.roots, strict=True))
            squares = [
                squared_distance(d, lambda *place: self.registry.ref(blocks[place])) for d in (apart, near)
            ]
        else:
            size = sum_over(residual.weight * residual.columns[0] ** 2, part.bounds, part.conditions)
            squares = [self.rewrite(size, space) * d[0] ** 2 for d in (apart, near)]
        reduction = Reduction(total=part, value=rss + squares[1], procedure=fit)
        if reduction not in self.reductions:
            self.reductions.append(reduction)
        return rss + squares[0]

    # --- statistics ---------------------------------------------------------------------------------------

    def _hoist(self, expr: Expr, space: Space) -> Expr:
        """Give a value of the data a name, and return the reference to it."""
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient != 1:
            return coefficient * self._hoist(rest, space)
        if not expr.is_commutative and heads.shape_of(expr)[0] is None:
            return transpose(self._hoist(transpose(expr), space))
        if isinstance(expr, sp.Add):
            return sp.Add(*(self.rewrite(term, space) for term in expr.args))
        if isinstance(expr, PlateSum):
            inside = space.extend(expr.bounds)
            expr = PlateSum(self._inner_first(expr.body, inside), expr.bounds, expr.conditions)
        elif not isinstance(expr, sp.Pow):
            expr = self._inner_first(expr, space, top=True)
        space = replace(space, subsets={})  # a statistic covers the whole plate; readers pick the subset
        indices = space.sort(free_indices(expr, space))
        scope = tuple((s, space.bounds[s], space.subsets.get(s)) for s in indices)
        return self.registry.value((expr, scope), expr, indices, space)

    def _inner_first(self, expr: Expr, space: Space, *, top: bool = False) -> Expr:
        """Hoist costly inverses inside a statistic on their own, so that each is computed once."""
        if isinstance(expr, sp.Pow) and not expr.is_commutative and not free_indices(expr, space):
            return self._hoist(expr, space)
        if isinstance(expr, Ref) or not expr.args:
            return expr
        args = [self._inner_first(a, space) if isinstance(a, Expr) else a for a in expr.args]
        return expr if list(expr.args) == args else expr.func(*args)


def spread_number(expr: Expr) -> Expr:
    """Multiply a number into a sum where that leaves no other numbers: -(2a - 2b)/2 is b - a."""
    number, rest = expr.as_coeff_Mul()
    sums = [factor for factor in sp.Mul.make_args(rest) if isinstance(factor, sp.Add)]
    if number == 1 or len(sums) != 1:
        return expr
    terms = [number * term for term in sums[0].args]
    if any(abs(term.as_coeff_Mul()[0]) != 1 for term in terms):
        return expr
    return (
        sp.Mul(*(sp.Add(*terms) if f is sums[0] else f for f in rest.args)) if rest.is_Mul else sp.Add(*terms)
    )


def _is_costly(expr: Expr) -> bool:
    """Tell whether a value is worth computing once: a sum over plates, an inverse, a product of matrices."""
    for part in sp.preorder_traversal(expr):
        if isinstance(part, PlateSum | heads.Inner | heads.Trace | heads.LogDet):
            return True
        if isinstance(part, sp.Pow) and not part.is_commutative:
            return True
    return False


def _is_matrix(expr: Expr) -> bool:
    return not expr.is_commutative and None not in heads.shape_of(expr)


def _inside_another(part: PlateSum, whole: Expr) -> bool:
    return any(other != part and other.has(part) for other in whole.atoms(PlateSum))


def _replace(expr: Expr, rules: dict[Expr, Expr]) -> Expr:
    return expr.xreplace(rules) if rules else expr


def _split_chain(product: Expr, symbols: set[Symbol]) -> tuple[Expr, Expr, Expr] | None:
    """Split a matrix product into a part free of the indices, a part with them, and a free part."""
    scalars, factors = product.args_cnc()
    touched = [place for place, factor in enumerate(factors) if factor.free_symbols & symbols]
    if not touched:
        return None
    first, last = touched[0], touched[-1] + 1
    if first == 0 and last == len(factors):
        return None
    left, middle, right = factors[:first], factors[first:last], factors[last:]
    return sp.Mul(*left), sp.Mul(*scalars, *middle), sp.Mul(*right)
