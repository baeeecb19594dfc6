"""What the rules of the slip finder may use of a model: its symbols, sizes, plates and the right answer's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deriver.checking.oracle import Oracle
from deriver.checking.pieces import find_lacks
from deriver.checking.places import Surroundings, Symbol
from deriver.checking.records import Resolved
from deriver.checking.terms import exponent_terms, parameter_terms
from deriver.families import family
from deriver.model.expressions import Expression, Number, Reference, SumOver
from deriver.model.records import Given, Model, Node, Stochastic

_VARIANCES = ("var", "cov", "sd")


def make_surroundings(oracle: Oracle, claim: Resolved) -> Surroundings:
    """Return the surroundings of a claim."""
    model = oracle.bench.model
    return Surroundings(
        symbols={symbol.name: symbol for symbol in _symbols(model)},
        sizes=tuple(_sizes(model)),
        indices=tuple(each.index for each in claim.bound),
        plates=tuple((plate.index, oracle.bench.scope.enclosing(plate.index)) for plate in model.plates),
        parameter_terms=parameter_terms(oracle),
        lacks=find_lacks(oracle),
        exponent_terms=exponent_terms(oracle),
        target=claim.node,
        literal_dimension=_literal_dimension(model.node(claim.node)),
        own=claim.own,
        kind=_shape_finder(claim),
    )


def _shape_finder(claim: Resolved) -> Callable[[Expression], str]:
    shaper = claim.shaper
    kept: dict[int, tuple[Expression, str]] = {}

    def kind(tree: Expression) -> str:
        found = kept.get(id(tree))
        if found is None:
            shape = shaper.shape(tree)
            found = kept[id(tree)] = (tree, shape.kind if shape else "")
        return found[1]

    return kind


def _symbols(model: Model) -> Iterator[Symbol]:
    variances = _variance_names(model)
    everything: list[Given | Node] = [*model.givens, *model.nodes]
    for declared in everything:
        if declared.support.kind == "subset":
            continue
        yield _symbol(declared, declared.name in variances)


def _symbol(declared: Given | Node, variance: bool) -> Symbol:
    origin = declared.origin if isinstance(declared, Given) else ""
    kind = declared.support.kind
    lower = declared.support.lower
    return Symbol(
        name=declared.name,
        indices=declared.indices,
        sides=len(declared.shape),
        size=origin in ("size", "dimension") or (origin == "given" and kind == "integer"),
        dimension=origin == "dimension",
        group=declared.support.plate if kind == "index" else None,
        positive=isinstance(lower, Number) and lower.value >= 0,
        variance=variance,
    )


def _variance_names(model: Model) -> set[str]:
    """Return the names that stand as a variance, covariance or standard deviation somewhere."""
    found = set()
    for statement in model.statements:
        if isinstance(statement, Stochastic) and family(statement.family).key in ("normal", "mvnormal"):
            for argument in statement.arguments:
                if argument.keyword in _VARIANCES and isinstance(argument.value, Reference):
                    found.add(argument.value.name)
    return found | {node.name for node in model.nodes if "sigma2" in node.name or "tau2" in node.name}


def _sizes(model: Model) -> Iterator[Expression]:
    """Yield the sizes of plates, the totals of ragged ones, and the dimensions."""
    for plate in model.plates:
        if isinstance(plate.upper, Reference):
            yield plate.upper
            if plate.upper.subscripts:
                total: Expression = plate.upper
                for index in plate.upper.subscripts:
                    assert isinstance(index, Reference)
                    total = SumOver(index=index.name, conditions=(), body=total)
                yield total
    for given in model.givens:
        if given.origin == "dimension":
            yield Reference(name=given.name)


def _literal_dimension(node: Node) -> int | None:
    if node.shape and isinstance(node.shape[0], Number):
        return int(node.shape[0].value)
    return None
