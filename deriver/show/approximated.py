"""Show stage, linked nodes proposed from a normal approximation: what it is made of, density by density."""

from __future__ import annotations

from sympy import Expr

from deriver.algebra.heads import Ref, Variable
from deriver.derivation.predictors import Predicted
from deriver.derivation.records import Derivation
from deriver.plan.approximation import find_approximation
from deriver.plan.records import Approximation, Plan
from deriver.show import notation as n
from deriver.show.document import Block, Display, Paragraph, Row
from deriver.show.integrated import Writer

SOURCES = "Gamerman 1997, Stat. and Computing 7, 57-68; Knorr-Held and Rue 2002, Scand. J. Stat. 29, 597-614"


def approximation_blocks(derivation: Derivation, plan: Plan) -> tuple[Block, ...]:
    """Return what is said of linked nodes that are proposed together; nothing where there are none."""
    move = find_approximation(derivation, plan.steps, (), "auto")
    if move is None:
        return ()
    writer = Writer(derivation, move.members[0].conditional)
    taken = {node.name for node in derivation.model.nodes} | {given.name for given in derivation.model.givens}
    name = next(f"eta{mark}" for mark in ("", *range(1, len(taken) + 2)) if f"eta{mark}" not in taken)
    words = (
        f"Proposed together, where it pays (NumPy backend): {move.names}, each density that changes with them being one of "
        "a predictor affine in them.  The predictors, and by them the slopes of the log densities and the weights, "
        "minus the second derivatives:"
    )
    rows = [row for density in move.densities for row in _rows(writer, density, name)]
    return (Display(words=(words,), rows=tuple(rows)), Paragraph(words=(_how(move),)))


def _rows(writer: Writer, density: Predicted, name: str) -> list[Row]:
    indices = [each for each in density.eta.indices if density.factor.value.has(each)]
    eta = Ref(Variable(name, density.eta.variable.shape), *indices)
    value = writer.write(density.factor.value)

    def put(expr: Expr) -> n.Notation:
        return writer.write(expr.xreplace({density.eta: eta}))

    return [
        Row(left=writer.write(eta), relation="=", right=writer.write(density.predictor)),
        Row(left=n.Apply("slope", (value,)), relation="=", right=put(density.slope)),
        Row(left=n.Apply("weight", (value,)), relation="=", right=put(density.weight)),
    ]


def _how(move: Approximation) -> str:
    first = ", ".join(step.node for step in move.numbers)
    before = f"new values of {first} come first, and given these " if first else ""
    return (
        f"With C the coefficients of {move.names} in the predictors, g the slopes and W the weights, the log joint density "
        f"has the gradient C'g and minus the Hessian P = C'WC: {before}{move.names} are proposed from the normal density of "
        "mean x + inv(P) C'g and precision P, x near their mode by a Newton step from a point that is the same for all "
        "proposals.  A Metropolis-Hastings step accepts all or none, the density of the way back being that of the "
        f"present values ({SOURCES})."
    )
