"""The multivariate t distribution of BUGS, ``y[i,1:p] ~ dmt(mu[], Omega[,], k)``, as a scale mixture of normals.

With ``y.scale[i] ~ dgamma(k / 2, k / 2)``, ``y[i,1:p] ~ dmnorm(mu[], y.scale[i] * Omega[,])`` has that distribution once the scale
is integrated out (Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., section 17.2).
"""

from __future__ import annotations

import dataclasses

from deriver.bugs.syntax import Literal, Name, Operation, Program, Relation


def write_out_multivariate_t(program: Program) -> Program:
    """Return the program with every ``dmt`` as a normal vector, whose precision is scaled by a gamma node."""
    model = tuple(made for relation in program.model for made in _mix(relation))
    return dataclasses.replace(program, model=model)


def _mix(relation: Relation) -> tuple[Relation, ...]:
    if relation.distribution != "dmt" or len(relation.arguments) != 3:
        return (relation,)
    span = relation.span
    mean, precision, freedom = relation.arguments
    counters = tuple(Name(name=loop.variable, span=span) for loop in relation.loops)
    scale = Name(name=f"{relation.target.name}.scale", subscripts=counters or None, span=span)
    half = Operation(operator="/", left=freedom, right=Literal(text="2", span=span), span=span)
    scaled = Operation(operator="*", left=scale, right=precision, span=span)
    drawn = dataclasses.replace(relation, distribution="dmnorm", arguments=(mean, scaled))
    mixing = dataclasses.replace(relation, target=scale, distribution="dgamma", arguments=(half, half))
    return (drawn, mixing)
