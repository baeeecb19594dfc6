"""The givens that a sampler is verified with: small sizes, generic covariates, moderate proper priors.

Stage verification.  Input: a ``Model``, sizes and values that the user sets.  Output: a state of the givens.  The
conditionals hold for every value of a given, so vague defaults, under which data would overflow, are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Ref
from deriver.derivation.factors import build_factors
from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import elements
from deriver.derivation.states import random_values
from deriver.errors import DeriverError, Mistake, UsageError
from deriver.families import family as family_record
from deriver.language import parse_expression
from deriver.language.mistakes import listing, suggest
from deriver.model.expressions import references
from deriver.model.records import Given, Model, Range
from deriver.running.supports import is_triangular
from deriver.verification.arrays import is_size
from deriver.verification.simulate import Simulator, State

DEFAULT_SIZE = 3
DEFAULT_DIMENSION = 2
_MOST_SETTINGS = 40

# Values of hyperparameters at which priors have moments and data do not overflow, by family and parameter.
MODERATE: dict[tuple[str, str], float] = {
    ("inverse_gamma", "shape"): 4.0,
    ("inverse_gamma", "scale"): 2.5,
    ("gamma", "shape"): 3.0,
    ("gamma", "rate"): 3.0,
    ("exponential", "rate"): 1.0,
    ("student_t", "df"): 6.0,
    ("beta", "a"): 2.0,
    ("beta", "b"): 3.0,
    ("pareto", "shape"): 4.0,
    ("weibull", "shape"): 2.0,
    ("lkj", "eta"): 1.5,
    ("normal", "var"): 0.8,
    ("half_cauchy", "scale"): 0.7,
    ("half_normal", "var"): 0.8,
    ("uniform", "lower"): 0.2,
    ("uniform", "upper"): 2.5,
}


def choose_givens(
    model: Model, rng: np.random.Generator, *, sizes: Mapping[str, int], values: Mapping[str, Any]
) -> State:
    """Return values of every given; raise ``UsageError`` with every mistake in ``sizes`` and ``values``.

    Givens that are not set are tried anew until data can be simulated with a finite log joint density.
    """
    _check_names(model, sizes, values)
    lowering = Lowering(model)
    fixed = _read_values(model, values)
    problem: Exception | None = None
    for _ in range(_MOST_SETTINGS):
        try:
            state = _choose(model, lowering, rng, sizes, fixed)
            _check_supports(model, lowering, state, values)
            simulator = Simulator(model, state)
            if all(np.isfinite(simulator.log_joint(simulator.draw(rng))) for _ in range(3)):
                return state
        except UsageError as error:
            if any(mistake.code not in ("undrawable", "not-forward") for mistake in error.mistakes):
                raise
            problem = error
        except (KeyError, OverflowError, ZeroDivisionError) as error:
            problem = error
    if isinstance(problem, UsageError):
        raise problem
    raise UsageError([
        Mistake(
            code="no-setting", found="no data with a finite density could be simulated from the model",
            remedy="set moderate values with --set NAME=VALUE, and sizes with --sizes n=3,J=2",
        )
    ])  # fmt: skip


def _choose(
    model: Model,
    lowering: Lowering,
    rng: np.random.Generator,
    sizes: Mapping[str, int],
    fixed: Mapping[str, Expr | np.ndarray],
) -> State:
    moderate = _moderate_values(model, lowering, rng)
    state: State = {}
    pending = list(model.givens)
    while pending:
        later = []
        for given in pending:
            try:
                state[given.name] = _values(given, lowering, state, rng, sizes, fixed, moderate)
            except KeyError:
                later.append(given)
        if len(later) == len(pending):
            raise KeyError(later[0].name)
        pending = later
    return state


def _values(
    given: Given, lowering: Lowering, state: State, rng: np.random.Generator, sizes: Mapping[str, int],
    fixed: Mapping[str, Expr | np.ndarray], moderate: Mapping[str, float],
) -> dict[tuple[int, ...], Any]:  # fmt: skip
    """Return the values of one given: what was set, else what is moderate, else something generic."""
    if given.name in fixed:
        return _set_values(given, fixed[given.name], lowering, state)
    if given.name in sizes and given.origin == "given":
        return dict.fromkeys(_keys(given, lowering, state), sizes[given.name])
    if given.origin == "dimension":
        return {(): sizes.get(given.name, DEFAULT_DIMENSION)}
    if given.origin == "size":
        size = sizes.get(given.name, DEFAULT_SIZE)
        keys = _keys(given, lowering, state)
        lengths = _ragged_lengths(rng, size, len(keys)) if given.indices else [size]
        return dict(zip(keys, lengths, strict=True))
    if given.name in moderate and not given.indices and not given.shape:
        return {(): moderate[given.name]}
    found = random_values(given, lowering, state, rng, DEFAULT_DIMENSION, DEFAULT_SIZE)
    kind, lower, upper = lowering.support(given.support)
    if kind == "real" and lower is None and upper is None:
        width = 1.0 if given.indices else 0.5
        return {key: _plain(rng.uniform(-width, width, np.shape(value))) for key, value in found.items()}
    if kind in ("spd", "cholesky"):
        return {key: value / 2 for key, value in found.items()}
    return found


def _ragged_lengths(rng: np.random.Generator, size: int, count: int) -> list[int]:
    """Return unequal lengths up to ``size``; the last is the longest, so that no group can hide."""
    lengths = [int(rng.integers(1, size + 1)) if size else 0 for _ in range(count)]
    return [*lengths[:-1], size] if lengths else lengths


def _keys(given: Given, lowering: Lowering, state: State) -> list[tuple[int, ...]]:
    bounds = tuple(lowering.bound(Range(index=index)) for index in given.indices)
    return list(elements(bounds, state))


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _moderate_values(model: Model, lowering: Lowering, rng: np.random.Generator) -> dict[str, float]:
    """Return a moderate value for each hyperparameter that stands alone in a family's argument, or under 1 /."""
    givens = {given.name for given in model.givens if not given.indices and not given.shape}
    found: dict[str, float] = {}
    for factor in build_factors(model, lowering)[0]:
        for parameter, argument in zip(
            family_record(factor.family).parameters, factor.arguments, strict=True
        ):
            value = MODERATE.get((factor.family, parameter))
            name, power = _single_reference(argument)
            if value is not None and name in givens and name not in found:
                found[name] = float(np.round(value**power * np.exp(rng.uniform(-0.2, 0.2)), 3))
            if parameter == "df" and factor.family in ("wishart", "inverse_wishart"):
                found |= {n: DEFAULT_DIMENSION + 3.5 for n in _names(argument) & givens if n not in found}
    return {name: value for name, value in found.items() if model.given(name).origin == "given"}


def _single_reference(argument: Expr) -> tuple[str, int]:
    """Return (name, power) of an argument that is one scalar given, its square or its reciprocal."""
    base, exponent = argument.as_base_exp() if argument.is_commutative else (argument, sp.S.One)
    if isinstance(base, Ref) and not base.indices and exponent in (1, -1, 2, -2):
        return base.name, (1 if exponent > 0 else -1)
    return "", 1


def _names(expr: Expr) -> set[str]:
    return {ref.name for ref in expr.atoms(Ref)}


# --- what the user sets -----------------------------------------------------------------------------------


def read_sizes(text: str) -> dict[str, int]:
    """Return ``n=4,J=3`` as a dictionary; raise ``UsageError`` for anything else."""
    found, mistakes = {}, []
    for piece in text.split(","):
        name, _, value = (part.strip() for part in piece.partition("="))
        if name and value.isdigit() and name not in found:
            found[name] = int(value)
        else:
            mistakes.append(
                Mistake(code="sizes", found=f"--sizes {piece.strip()}", expected="--sizes n=4,J=3: whole numbers")
            )  # fmt: skip
    if mistakes:
        raise UsageError(mistakes)
    return found


def _check_names(model: Model, sizes: Mapping[str, int], values: Mapping[str, Any]) -> None:
    size_names = [given.name for given in model.givens if is_size(given)]
    names = [given.name for given in model.givens]
    mistakes = [
        Mistake(
            code="unknown-name", found=f"--sizes {name}: the model has no size `{name}`",
            expected=f"one of {listing(size_names)}" if size_names else "no sizes: the model has none",
            remedy=suggest(name, size_names),
        )
        for name in sizes if name not in size_names
    ]  # fmt: skip
    mistakes += [
        Mistake(
            code="unknown-name", found=f"--set {name}: the model has nothing called `{name}` under `given`",
            expected=f"one of {listing(names)}" if names else "no values: the model has no givens",
            remedy=suggest(name, names),
        )
        for name in values if name not in names
    ]  # fmt: skip
    mistakes += [
        Mistake(code="twice", found=f"{name} is set by --sizes and by --set", remedy="set it once")
        for name in sizes if name in values
    ]  # fmt: skip
    if mistakes:
        raise UsageError(mistakes)


def _read_values(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as SymPy expressions (from texts) or arrays."""
    lowering, names = Lowering(model), {given.name for given in model.givens}
    found, mistakes = {}, []
    for name, value in values.items():
        if not isinstance(value, str):
            found[name] = np.asarray(value, dtype=float)
            continue
        try:
            tree = parse_expression(value)
        except DeriverError as error:
            mistakes.append(_wrong_value(name, value, "; ".join(m.found for m in error.mistakes)))
            continue
        unknown = [ref.name for ref in references(tree) if ref.name not in names]
        if unknown:
            mistakes.append(_wrong_value(name, value, f"`{unknown[0]}` is not given"))
        else:
            found[name] = lowering.expression(tree)
    if mistakes:
        raise UsageError(mistakes)
    return found


def _wrong_value(name: str, value: Any, why: str) -> Mistake:
    expected = "a number, [a, b], [a, b; c, d], or an expression such as 2*eye(p)"
    return Mistake(code="value", found=f"--set {name}={value}: {why}", expected=expected)


def _set_values(
    given: Given, value: Expr | np.ndarray, lowering: Lowering, state: State
) -> dict[tuple[int, ...], Any]:
    array = np.asarray(value if isinstance(value, np.ndarray) else evaluate(value, state), dtype=float)
    keys = _keys(given, lowering, state)
    shape = tuple(int(evaluate(lowering.expression(side), state)) for side in given.shape)
    if given.support.kind == "subset":
        return {(): frozenset(int(member) for member in np.ravel(array))}
    wanted = (len(keys), *shape) if given.indices else shape
    try:
        array = array.reshape(wanted) if array.size == np.prod(wanted) else np.broadcast_to(array, wanted)
    except ValueError:
        why = f"it has {array.size} numbers; {int(np.prod(wanted))} are wanted"
        raise UsageError([_wrong_value(given.name, array.tolist(), why)]) from None
    whole = given.origin != "given" or given.support.kind in ("index", "integer")
    if not given.indices:
        return {(): int(array) if whole and not shape else _plain(array)}
    return {key: int(v) if whole and not shape else _plain(v) for key, v in zip(keys, array, strict=True)}


def _check_supports(model: Model, lowering: Lowering, state: State, values: Mapping[str, Any]) -> None:
    """Raise ``UsageError`` for each value that the user set outside its support."""
    mistakes = []
    for name in values:
        given = model.given(name)
        kind, lower, upper = lowering.support(given.support)
        for key, value in state[name].items():
            own = {lowering.indices[i]: k for i, k in zip(given.indices, key, strict=True)}
            low = -np.inf if lower is None else evaluate(lower, state, own)
            high = np.inf if upper is None else evaluate(upper, state, own)
            if kind == "real" and not np.all((np.asarray(value) > low) & (np.asarray(value) < high)):
                mistakes.append(_wrong_value(name, values[name], f"it must lie between {low:g} and {high:g}"))
                break
            if kind == "spd" and not np.all(np.linalg.eigvalsh(np.asarray(value)) > 0):
                mistakes.append(_wrong_value(name, values[name], "it is not positive definite"))
                break
            if kind == "cholesky" and not is_triangular(np.asarray(value)):
                why = "it is not lower triangular with a positive diagonal"
                mistakes.append(_wrong_value(name, values[name], why))
                break
    if mistakes:
        raise UsageError(mistakes)
