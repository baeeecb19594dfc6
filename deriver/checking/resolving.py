"""Checking, step 3: claims as written to resolved claims, by the language's own rules for names and shapes.

Input: a claim and the bench of its model.  Output: a ``Resolved`` claim; mistakes with line and caret.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

from deriver.checking.bench import Bench
from deriver.checking.records import Claim, Density, Line, Named, Resolved
from deriver.checking.shorthand import indices_of, write_out
from deriver.errors import Mistake
from deriver.language.dimensions import SCALAR, Dimensions, Shape, describe
from deriver.language.inference import Inference, check_distribution
from deriver.language.mistakes import Mistakes, suggest
from deriver.language.places import Place, check_expression
from deriver.language.printer import print_expression
from deriver.language.rewrite import make_number, rebuild
from deriver.language.scope import Draft, Entity, Scope
from deriver.language.shapes import Shaper
from deriver.language.syntax import ArgumentText, RangeText, StatementLine
from deriver.model.expressions import Expression, Number, Reference, references
from deriver.model.records import Range

_HEAD = "the node of the claim"
CONSTANTS = ("const", "constant")
_PI = Number(value=Fraction(math.pi), text="pi")


class ClaimScope(Scope):
    """The scope of a model, with the names that one claim defines; places are those of the model's text."""

    def first_place(self, name: str) -> str:
        """Return where a name is declared, told apart from the lines of the claims."""
        return super().first_place(name).replace("(line ", "(the model's line ")


class Resolver:
    """Resolves one claim."""

    def __init__(self, bench: Bench, claim: Claim, mistakes: Mistakes) -> None:
        base = bench.scope
        self.bench, self.claim, self.mistakes = bench, claim, mistakes
        self.scope = ClaimScope(
            document=base.document, mistakes=mistakes, plates=base.plates, givens=base.givens,
            nodes=dict(base.nodes), drafts=base.drafts, written=base.written,
        )  # fmt: skip
        known = bench.inference.dimensions
        self.dimensions = Dimensions(self.scope, dict(known.values), dict(known.places))
        self.shaper = Shaper(self.scope, self.dimensions, dict(bench.inference.shapes), quiet=False)

    def resolve(self) -> Resolved | None:
        """Return the resolved claim, or None when mistakes were added."""
        head = self._find_head()
        if head is None:
            return None
        node, element, coordinate, own = head
        bound = self._bound(element)
        place = Place(bound={each.index: each for each in bound}, owner=self.claim.title)
        definitions = self._define(place)
        lines = tuple(self._resolve_line(line, place, coordinate) for line in self.claim.lines)
        if self.mistakes:
            return None
        self.shaper.quiet = True
        sizes = {name: self.dimensions.resolve(each) for name, each in self.dimensions.values.items()}
        return Resolved(
            claim=self.claim, node=node, element=element, coordinate=coordinate, own=own, bound=bound,
            lines=lines, definitions=definitions, sizes=sizes, shaper=self.shaper,
        )  # fmt: skip

    # the node

    def _find_head(self) -> tuple[str, tuple[Expression, ...], Expression, bool] | None:
        head = write_out(self.claim.head, self.scope)
        head = self._with_indices(head)
        nodes = [found for found in references(head) if found.name in self.scope.nodes]
        if len(nodes) != 1:
            self._refuse_head(head, len(nodes))
            return None
        found = nodes[0]
        self._check_element(found)
        below = self._stochastic(found)
        if below is None:
            return None
        own = head == found == below
        return below.name, below.subscripts, head, own

    def _with_indices(self, head: Expression) -> Expression:
        """Write ``[beta | .]`` as ``[beta[i] | .]``."""
        if isinstance(head, Reference) and not head.subscripts:
            subscripts = tuple(Reference(name=i, span=head.span) for i in indices_of(head.name, self.scope))
            return dataclasses.replace(head, subscripts=subscripts)
        return head

    def _refuse_head(self, head: Expression, count: int) -> None:
        unknown = [found for found in references(head) if found.name not in self.scope.known()]
        if unknown and not count:
            check_expression(self.scope, head, Place(bound={}))
            return
        names = ", ".join(each.node for each in self.bench.derivation.conditionals)
        self.mistakes.add(
            "node",
            f"`{print_expression(head)}` is not a node of the model"
            if not count
            else "a claim is about one node",
            span=self.claim.head.span or self.claim.span,
            expected=f"one of {names}, or a function of one, such as 1/sigma2",
            remedy=suggest(print_expression(head), names.split(", ")),
        )

    def _check_element(self, found: Reference) -> None:
        bound = {
            each.name: self._range(each.name)
            for each in found.subscripts
            if isinstance(each, Reference) and each.name in self.scope.plates
        }
        check_expression(self.scope, found, Place(bound=bound))

    def _stochastic(self, found: Reference) -> Reference | None:
        """Return the stochastic node itself, or the only one by which a deterministic node is defined."""
        entity = self.scope.nodes[found.name]
        if entity.layer == "data" and entity.stochastic and not entity.drafts[0].line.partly:
            self._refuse_node(found, f"`{found.name}` is data, and has no full conditional")
            return None
        if entity.stochastic:
            return found
        draft = entity.drafts[0]
        assert draft.expression is not None
        below = [each for each in references(draft.expression) if each.name in self.scope.nodes]
        if len(below) != 1 or len(entity.drafts) > 1:
            names = ", ".join(each.name for each in below)
            self._refuse_node(found, f"`{found.name}` is defined by several nodes: {names}")
            return None
        pairs = zip(draft.subscripts, found.subscripts, strict=False)
        values = {each.name: value for each, value in pairs if isinstance(each, Reference)}
        subscripts = tuple(
            values.get(each.name, each) if isinstance(each, Reference) else each
            for each in below[0].subscripts
        )
        return self._stochastic(dataclasses.replace(below[0], subscripts=subscripts))

    def _refuse_node(self, found: Reference, why: str) -> None:
        names = ", ".join(each.node for each in self.bench.derivation.conditionals)
        self.mistakes.add("node", why, span=found.span, expected=f"a claim about one of {names}")

    def _bound(self, element: tuple[Expression, ...]) -> tuple[Range, ...]:
        named = [each.name for each in element if isinstance(each, Reference)]
        explicit = {each.index.name: each for each in self.claim.ranges}
        for name, written in explicit.items():
            if name not in named:
                self.mistakes.add(
                    "range", f"`{name}` is not an index of {self.claim.title}", span=written.index.span,
                    expected=f"one of {', '.join(named)}" if named else "no `for`: the node has no index",
                )  # fmt: skip
        return tuple(
            self._explicit(explicit[name]) if name in explicit else self._range(name)
            for name in named
            if name in self.scope.plates
        )

    def _explicit(self, written: RangeText) -> Range:
        subset = written.subset.name if written.subset else None
        for end in (written.lower, written.upper):
            if end is not None:
                check_expression(self.scope, end, Place(bound={}, nodes=False))
        return Range(index=written.index.name, lower=written.lower, upper=written.upper, subset=subset)

    def _range(self, index: str) -> Range:
        plate = self.scope.plates[index]
        return Range(index=index, lower=plate.lower, upper=plate.upper)

    # definitions

    def _define(self, place: Place) -> tuple[Named, ...]:
        names = {named.name for named in self.claim.definitions}
        seen: set[str] = set()
        found = []
        waiting = self._in_order()
        for named in waiting:
            if named.name in seen:
                self.mistakes.add("duplicate", f"`{named.name}` is defined twice", span=named.span)
            expression = self._write_out(named.expression, names)
            unknown = [index for index in named.indices if index not in self.scope.plates]
            for index in unknown:
                self.mistakes.add(
                    "index", f"`{index}` is not the index of a plate", span=named.span,
                    expected=f"one of {', '.join(self.scope.plates)}", remedy=suggest(index, self.scope.plates),
                )  # fmt: skip
            if unknown:
                self.scope.refused.add(named.name)
                continue
            own = {index: self._range(index) for index in named.indices}
            check_expression(self.scope, expression, dataclasses.replace(place, bound={**place.bound, **own}))
            self._add_name(named, expression)
            seen.add(named.name)
            found.append(dataclasses.replace(named, expression=expression))
        return tuple(found)

    def _in_order(self) -> list[Named]:
        """Return the definitions with each after those that it uses."""
        waiting = list(self.claim.definitions)
        ordered: list[Named] = []
        while waiting:
            later = {named.name for named in waiting}
            ready = [n for n in waiting if not later & {r.name for r in references(n.expression)} - {n.name}]
            ordered += ready or waiting
            waiting = [named for named in waiting if named not in ready] if ready else []
        return ordered

    def _add_name(self, named: Named, expression: Expression) -> None:
        line = StatementLine(layer="parameters", target=Reference(name=named.name, span=named.span))
        subscripts = tuple(Reference(name=index) for index in named.indices)
        draft = Draft(
            name=named.name, subscripts=subscripts, layer="parameters", line=line, expression=expression
        )
        ranges = tuple(self._range(index) for index in named.indices)
        self.scope.nodes[named.name] = Entity(
            name=named.name, drafts=[draft], indices=named.indices, ranges=ranges
        )
        if named.name in self.scope.givens or named.name in self.scope.plates:
            self.mistakes.add(
                "duplicate", f"`{named.name}` is {self._place_in_model(named.name)}, and is defined here anew",
                span=named.span, remedy="give it another name",
            )  # fmt: skip
        shape = self.shaper.shape(expression)
        if shape is None:
            self.scope.refused.add(named.name)
        else:
            self.shaper.nodes[named.name] = shape

    def _place_in_model(self, name: str) -> str:
        return self.scope.first_place(name)

    # lines

    def _resolve_line(self, line: Line, place: Place, coordinate: Expression) -> Line:
        if line.densities:
            return dataclasses.replace(line, densities=tuple(self._density(d, place) for d in line.densities))
        if line.kernel is not None:
            return self._resolve_kernel(line, place)
        return self._resolve_family(line, place, coordinate)

    def _expression(self, written: Expression, place: Place) -> Expression:
        names = {named.name for named in self.claim.definitions}
        found = self._write_out(written, names)
        check_expression(self.scope, found, place)
        return found

    def _write_out(self, written: Expression, names: set[str]) -> Expression:
        """Return an expression with shorthand written out, and pi as a number where the model has no such name."""
        found = write_out(written, self.scope, names)
        if "pi" in names or "pi" in self.scope.known():
            return found
        return rebuild(found, lambda part: _PI if part == Reference(name="pi") else part)

    def _resolve_kernel(self, line: Line, place: Place) -> Line:
        assert line.kernel is not None
        kernel = line.kernel
        if self.claim.log:
            kernel = _drop_constants(kernel, self.scope)
        kernel = self._expression(kernel, place)
        shape = None if self.mistakes else self.shaper.shape(kernel)
        if shape is not None and shape != SCALAR:
            self.shaper.refuse(
                f"this density is {describe(shape, self.dimensions)}", line.span, expected="a number"
            )
        return dataclasses.replace(line, kernel=kernel)

    def _resolve_family(self, line: Line, place: Place, coordinate: Expression) -> Line:
        arguments = tuple(
            ArgumentText(keyword=a.keyword, value=self._expression(a.value, place), span=a.span)
            for a in line.arguments
        )
        ends = line.truncation
        if ends is not None:
            low, high = (None if end is None else self._expression(end, place) for end in ends)
            ends = (low, high)
        if self.mistakes:
            return line
        wanted = self.shaper.shape(coordinate)
        written = StatementLine(
            layer="parameters", target=Reference(name=_HEAD, span=line.span), family=line.family,
            arguments=arguments, truncation=ends, span=line.span, family_span=line.family_span,
        )  # fmt: skip
        draft = Draft(
            name=_HEAD, subscripts=(), layer="parameters", line=written,
            arguments=tuple(each.value for each in arguments),
        )  # fmt: skip
        if wanted is not None:
            self.shaper.nodes[_HEAD] = wanted
        choices = Inference(shapes=self.shaper.nodes, dimensions=self.dimensions, shaper=self.shaper)
        shape = check_distribution(self.scope, choices, 0, draft)
        self._compare(shape, wanted, line)
        return dataclasses.replace(line, arguments=arguments, truncation=ends, choice=choices.choices.get(0))

    def _compare(self, shape: Shape | None, wanted: Shape | None, line: Line) -> None:
        if shape is None or wanted is None:
            return
        title = self.claim.title
        if shape.kind != wanted.kind:
            self.shaper.refuse(
                f"a draw from this {line.family} is {describe(shape, self.dimensions)}, and {title} is about "
                f"{describe(wanted, self.dimensions)}",
                line.family_span or line.span,
            )
            return
        for one, two in zip(wanted.dims, shape.dims, strict=True):
            self.shaper.unify(one, two, line.span, f"{title} and this {line.family} differ in dimension")

    def _density(self, written: Density, place: Place) -> Density:
        inner = dict(place.bound)
        for index in written.products:
            if index not in self.scope.plates:
                self.mistakes.add(
                    "index", f"`{index}` is not the index of a plate", span=written.span,
                    expected=f"one of {', '.join(self.scope.plates)}", remedy=suggest(index, self.scope.plates),
                )  # fmt: skip
                return written
            inner[index] = self._range(index)
        place = dataclasses.replace(place, bound=inner)
        value = self._parent(written.value, place)
        entity = self.scope.nodes.get(value.name)
        if not self.mistakes and (entity is None or not entity.stochastic):
            self.mistakes.add(
                "node", f"`{print_expression(value)}` has no density: it is not stated with `~`",
                span=written.value.span,
            )  # fmt: skip
        parents = tuple(self._parent(each, place) for each in written.parents)
        return dataclasses.replace(written, value=value, parents=parents)

    def _parent(self, written: Reference, place: Place) -> Reference:
        found = write_out(written, self.scope)
        check_expression(self.scope, found, place)
        return found if isinstance(found, Reference) else written


def _drop_constants(kernel: Expression, scope: Scope) -> Expression:
    """Read ``+ const`` on the log scale as adding nothing."""

    def change(part: Expression) -> Expression:
        plain = isinstance(part, Reference) and not part.subscripts and part.name in CONSTANTS
        return make_number(0) if plain and part.name not in scope.known() else part  # type: ignore[attr-defined]

    return rebuild(kernel, change)


def resolve_claim(bench: Bench, claim: Claim, mistakes: Mistakes) -> Resolved | None:
    """Return the claim with its names and shapes, or None when it has mistakes."""
    own = mistakes.for_part()
    found = Resolver(bench, claim, own).resolve()
    mistakes.add_all(own, lambda mistake: _reword(mistake, claim))
    return found


def _reword(mistake: Mistake, claim: Claim) -> Mistake:
    """Return a mistake of the model language in the words of a claim."""
    found = mistake.found.replace(f"the left side of `{claim.title}`", f"`{claim.title}`")
    remedy = mistake.remedy
    if remedy.startswith("add `") and "to the left side, or sum" in remedy:
        index = remedy.split("`")[1]
        blanket = any(line.densities for line in claim.lines)
        remedy = f"multiply over it: prod({index}: ...)" if blanket else f"sum over it: sum({index}: ...)"
    if remedy.startswith("state it with `~` or `=`"):
        name = mistake.found.split("`")[1]
        remedy = f"say what it is at the end of the claim: where {name} = ..."
    expected = mistake.expected
    if mistake.code == "undeclared":
        expected = "a name of the model, or one defined after `where`"
    return dataclasses.replace(mistake, found=found, expected=expected, remedy=remedy)
