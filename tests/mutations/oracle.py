"""The judge of claims: a claim is right when its density and the hand-coded joint have the same ratios.

Input: a ``Claim``.  Output: whether it is right, at several sizes, numbers of coefficients, states and elements.
The joint densities are those of ``tests/hand``; nothing here comes from the checker or from the derivation.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import ModuleType

import numpy as np
from scipy.special import gammaln, multigammaln

from deriver.model.expressions import Binary, Call, Expression
from tests.hand.common import Index, State, Value, replaced

from .evaluate import BadClaim, Environment, parsed
from .forms import Claim

TOLERANCE = 1e-7
_POINTS = 4
_HAND = {
    "free_covariance": "free_covariance_squares",
    "poisson": "poisson_wishart",
    "all_random_two": "all_random_two",
}
# The names of the packaged model, where the hand-coded one has others.
_RENAMED = {
    "independent_effects": {"mu00": "m0", "mu10": "m1", "sigma2_00": "v0", "sigma2_10": "v1"},
    "random_log_sd": {"q_sigma": "q", "r_sigma": "r"},
}
_BALANCED = {
    "all_random": ({"n": 3, "J": (2, 2, 2), "p": 2}, {"n": 2, "J": (4, 4), "p": 3}),
    "random_intercepts": ({"n": 3, "J": (2, 2, 2)}, {"n": 2, "J": (4, 4)}, {"n": 4, "J": (3, 3, 3, 3)}),
}


def hand_module(model: str) -> ModuleType:
    """Return the hand-coded module of a model."""
    name = model.partition(" ")[0]
    return importlib.import_module(f"tests.hand.{_HAND.get(name, name)}")


def _sizes(claim: Claim) -> tuple:
    name, _, balanced = claim.subject.model.partition(" ")
    every = _BALANCED[name] if balanced else hand_module(name).SIZES
    if claim.two_coefficients():
        every = tuple({**sizes, "p": 2} for sizes in every)
    return tuple(every[:4])


@lru_cache(maxsize=256)
def _states(model: str, sizes: tuple) -> tuple[State, ...]:
    module = hand_module(model)
    return tuple(module.random_state(np.random.default_rng(seed), dict(sizes)) for seed in range(_POINTS))


def is_right(claim: Claim) -> bool:
    """Tell whether a claim is right; raise ``BadClaim`` where its text means nothing at some size."""
    verdicts = []
    for sizes in _sizes(claim):
        states = _states(claim.subject.model, tuple(sizes.items()))
        verdicts += [agrees(claim, states, at) for at in _elements(claim, states[0])]
    return all(verdicts)


def _elements(claim: Claim, state: State) -> Iterator[Index]:
    element, node = claim.subject.element, claim.subject.node
    everywhere = list(state[node])
    if element == "z[t]":
        last = int(state["T"][()])
        return iter([(t,) for t in (1, last - 1) if 1 <= t < last])
    if element == "z[0]":
        return iter([(0,)])
    if element == "z[T]":
        return iter([(int(state["T"][()]),)])
    return iter(dict.fromkeys([everywhere[0], everywhere[len(everywhere) // 2], everywhere[-1]]))


def agrees(claim: Claim, states: tuple[State, ...], at: Index) -> bool:
    """Tell whether a claim agrees with the joint at one element, at two states of all else."""
    module, node = hand_module(claim.subject.model), claim.subject.node
    values = [state[node][at] for state in states]
    for rest in states[:2]:
        apart = []
        for value in values:
            state = replaced(rest, node, at, value)
            theirs = log_claim(claim, complete(claim.subject.model, state), at, value)
            if theirs is None:
                return False
            apart.append((theirs, module.log_joint(state) + _log_jacobian(claim.coordinate, value)))
        theirs, right = np.array(apart).T
        gap = (theirs - theirs[0]) - (right - right[0])
        if not np.max(np.abs(gap)) <= TOLERANCE * (1 + np.max(np.abs(right))):
            return False
    return True


def complete(model: str, state: State) -> State:
    """Return a state with the names of the packaged model and its deterministic nodes."""
    name, _, balanced = model.partition(" ")
    full = dict(state)
    for new, old in _RENAMED.get(name, {}).items():
        full[new] = state[old]
    if balanced:
        full["J"] = {(): next(iter(state["J"].values()))}
    if "rho" in state and name != "free_covariance":
        p = int(state["p"][()])
        rho = state["rho"][()]
        full["R"] = {(): (1 - rho) * np.eye(p) + rho * np.ones((p, p))}
        full["Sigma"] = {(): state["sigma2_beta"][()] * full["R"][()]}
    if name == "free_covariance":
        first, second = state["sigma2_0"][()], state["sigma2_1"][()]
        cross = state["rho"][()] * np.sqrt(first * second)
        full["Sigma"] = {(): np.array([[first, cross], [cross, second]])}
    if "Q" in state:
        full["Sigma"] = {(): np.linalg.inv(state["Q"][()])}
    if "log_sigma" in state:
        full["sigma"] = {at: float(np.exp(value)) for at, value in state["log_sigma"].items()}
    if name == "poisson":
        full["z"] = {(i, j): float(np.exp(x @ state["beta"][(i,)])) for (i, j), x in state["x"].items()}
    return full


def log_claim(claim: Claim, state: State, at: Index, value: Value) -> float | None:
    """Return the log density that a claim states, up to a constant; None where it states none."""
    names = {}
    for name, text in claim.names:
        base, _, indices = name.partition("[")
        names[base] = (tuple(indices.rstrip("]").split(",")) if indices else (), parsed(text))
    letter = claim.subject.element.partition("[")[2].rstrip("]")
    bound = {letter: at[0]} if letter in ("i", "t", "c", "l") else {}
    environment = Environment(state, names, bound)
    if not claim.family:
        return _log_kernel(environment, parsed(claim.arguments[0][1]), claim.log)
    try:
        found = [(keyword, environment.value(parsed(text))) for keyword, text in claim.arguments]
    except np.linalg.LinAlgError:
        return None
    if not all(np.all(np.isfinite(number)) for _, number in found):
        return None
    return log_family(claim.family, found, _coordinate(claim.coordinate, value))


def _log_kernel(environment: Environment, kernel: Expression, log: bool) -> float | None:
    try:
        value = _plain_number(environment.value(kernel)) if log else _log_of(environment, kernel)
    except np.linalg.LinAlgError:
        return None
    return value if value is not None and np.isfinite(value) else None


def _plain_number(value: Value) -> float:
    if isinstance(value, np.ndarray) and value.size != 1:
        raise BadClaim("a kernel is a number")
    return float(np.reshape(value, ()))


def _log_of(environment: Environment, kernel: Expression) -> float | None:
    """The log of a kernel on the natural scale, by its factors: their product may be too small for a float."""
    match kernel:
        case Call(function="exp", arguments=(inner,)):
            return _plain_number(environment.value(inner))
        case Binary(operator="*" | "/" as operator, left=left, right=right):
            one, two = _log_of(environment, left), _log_of(environment, right)
            return None if one is None or two is None else one + (two if operator == "*" else -two)
    value = _plain_number(environment.value(kernel))
    return float(np.log(value)) if value > 0 else None


def _coordinate(kind: str, value: Value) -> Value:
    """Return the claim's variable from the node's value."""
    change: dict[str, Callable] = {
        "own": lambda v: v, "inverse": lambda v: 1 / v, "matrix inverse": np.linalg.inv,
        "log": np.log, "root": np.sqrt, "exp": np.exp,
    }  # fmt: skip
    return change[kind](value)


def _log_jacobian(kind: str, value: Value) -> float:
    """Return log |d node / d variable|, up to a constant."""
    match kind:
        case "own":
            return 0.0
        case "inverse":
            return 2 * float(np.log(value))
        case "matrix inverse":
            return (len(value) + 1) * float(np.linalg.slogdet(value)[1])
        case "log":
            return float(np.log(value))
        case "root":
            return 0.5 * float(np.log(value))
        case "exp":
            return -float(value)
    raise ValueError(kind)


# --- the families' densities ----------------------------------------------------------------------------------------


def log_family(family: str, found: list[tuple[str, Value]], value: Value) -> float | None:
    """Return the log density of a family at a value; None where its arguments are outside their domain."""
    keywords = _POSITIONS.get(family, ())
    given = {keyword or keywords[place]: number for place, (keyword, number) in enumerate(found)}
    return _DENSITIES[family](given, value)


def _scalar(given: dict, *keywords: str) -> list[float]:
    found = [given[keyword] for keyword in keywords]
    if any(isinstance(number, np.ndarray) and number.size != 1 for number in found):
        raise BadClaim("a number is wanted")
    return [float(np.reshape(number, ())) for number in found]


def _normal(given: dict, value: Value) -> float | None:
    if np.ndim(value) == 1:
        return _mvnormal(given, np.asarray(value))
    if "cov" in given:
        raise BadClaim("a covariance of a number")
    spread = next(keyword for keyword in given if keyword != "mean")
    mean, second = _scalar(given, "mean", spread)
    if second <= 0:
        return None
    variance = {"var": second, "sd": second**2, "prec": 1 / second}[spread]
    return -0.5 * np.log(variance) - 0.5 * (value - mean) ** 2 / variance


def _mvnormal(given: dict, value: np.ndarray) -> float | None:
    spread = next(keyword for keyword in given if keyword != "mean")
    if spread == "sd":
        raise BadClaim("a vector has no sd")
    p = len(value)
    matrix, mean = np.atleast_2d(given[spread]), np.asarray(given["mean"]).reshape(-1)
    if matrix.shape != (p, p) or np.shape(given["mean"]) not in ((p, 1), ()) or len(mean) != p:
        raise BadClaim("shapes of a normal vector")
    if not _definite(matrix):
        return None
    precision = matrix if spread == "prec" else np.linalg.inv(matrix)
    deviation = value - mean
    return 0.5 * np.linalg.slogdet(precision)[1] - 0.5 * float(deviation @ precision @ deviation)


def _inverse_gamma(given: dict, value: Value) -> float | None:
    last = "r" if "r" in given else "scale"
    shape, scale = _scalar(given, "shape", last)
    if shape <= 0 or scale <= 0:
        return None
    scale = 1 / scale if last == "r" else scale
    return shape * np.log(scale) - gammaln(shape) - (shape + 1) * np.log(value) - scale / value


def _gamma(given: dict, value: Value) -> float | None:
    last = "rate" if "rate" in given else "scale"
    shape, rate = _scalar(given, "shape", last)
    if shape <= 0 or rate <= 0:
        return None
    rate = 1 / rate if last == "scale" else rate
    return shape * np.log(rate) - gammaln(shape) + (shape - 1) * np.log(value) - rate * value


def _wishart(given: dict, value: Value) -> float | None:
    last = "rate" if "rate" in given else "scale"
    (df,) = _scalar(given, "df")
    matrix = np.atleast_2d(given[last])
    p = len(value)
    if matrix.shape != (p, p):
        raise BadClaim("shapes of a Wishart")
    if df <= p - 1 or not _definite(matrix):
        return None
    rate = matrix if last == "rate" else np.linalg.inv(matrix)
    constant = df / 2 * np.linalg.slogdet(rate)[1] - multigammaln(df / 2, p)
    return constant + (df - p - 1) / 2 * np.linalg.slogdet(value)[1] - np.trace(rate @ value) / 2


def _inverse_wishart(given: dict, value: Value) -> float | None:
    (df,) = _scalar(given, "df")
    matrix, p = np.atleast_2d(given["scale"]), len(value)
    if matrix.shape != (p, p):
        raise BadClaim("shapes of an inverse Wishart")
    if df <= p - 1 or not _definite(matrix):
        return None
    return -(df + p + 1) / 2 * np.linalg.slogdet(value)[1] - np.trace(matrix @ np.linalg.inv(value)) / 2


def _definite(matrix: np.ndarray) -> bool:
    symmetric = np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-11)
    return symmetric and bool(np.all(np.linalg.eigvalsh(matrix) > 0))


_POSITIONS = {"N": ("mean", "var"), "IG": ("shape", "r"), "Wish": ("scale", "df")}
_DENSITIES: dict[str, Callable] = {
    "N": _normal,
    "Normal": _normal,
    "IG": _inverse_gamma,
    "InverseGamma": _inverse_gamma,
    "Gamma": _gamma,
    "Wish": _wishart,
    "Wishart": _wishart,
    "InverseWishart": _inverse_wishart,
}
