"""Values for hyperparameters and other quantities that options give, and the defaults of the model.

Part of stage run.  Input: the options (``--set name=value``), or numbers and arrays from Python.  Output: arrays
by name.  Texts are expressions of the model language: ``0.001``, ``[250, 10]``, ``1e4*eye(p)``, ``[2, 1; 1, 3]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deriver.language.mistakes import listing, suggest
from deriver.language.printer import print_expression
from deriver.model.expressions import Expression, references
from deriver.model.records import Given, Model
from deriver.running.evaluate import Environment, EvaluationError, Stored, evaluate
from deriver.running.layout import Layout
from deriver.running.problems import Problems
from deriver.running.reading import read_expression
from deriver.running.sizes import Sizes, UnknownSize
from deriver.running.symbols import list_symbols
from deriver.running.values import Value, describe_shape, shaped, to_shape

EXPECTED = "a number, [a, b], [a, b; c, d], or an expression such as 1e4*eye(p)"


def read_settings(
    model: Model, settings: Mapping[str, Any], problems: Problems
) -> dict[str, Expression | np.ndarray]:
    """Return the settings as expressions (from texts) or arrays; names that the model has not are mistakes."""
    known = [given.name for given in model.givens]
    found: dict[str, Expression | np.ndarray] = {}
    for name, value in settings.items():
        if name not in known:
            _report_unknown(model, name, value, known, problems)
        elif isinstance(value, str):
            expression = read_expression(f"--set {name}={value}", value, problems, EXPECTED)
            if expression is not None:
                found[name] = expression
        else:
            try:
                found[name] = np.asarray(value, dtype=float)
            except (TypeError, ValueError):
                problems.add("value", f"{name}: {value!r} is not a number or an array of numbers", usage=True)
    return found


def _report_unknown(model: Model, name: str, value: Any, known: list[str], problems: Problems) -> None:
    if name in [node.name for node in model.nodes]:
        drawn = model.node(name).kind == "stochastic"
        remedy = f"--fix {name}={value} holds a node at a value; --start {name}={value} starts it there"
        remedy = remedy if drawn else "set what it is computed from"
        found = (
            f"--set {name}: `{name}` is a node of the model, {'drawn' if drawn else 'computed'} and not given"
        )
    else:
        remedy = suggest(name, known)
        found = f"--set {name}: the model has nothing called `{name}` under `given`"
    problems.add("unknown-name", found, expected=f"one of {listing(known)}", remedy=remedy, usage=True)


def record_set_sizes(
    settings: Mapping[str, Expression | np.ndarray], sizes: Sizes, problems: Problems
) -> None:
    """Record the sizes and dimensions among the settings."""
    for given in sizes.model.givens:
        if given.origin == "given" or given.name not in settings:
            continue
        setting = settings[given.name]
        try:
            array = setting if isinstance(setting, np.ndarray) else evaluate(setting, Environment()).plain()
        except EvaluationError as error:
            problems.add("value", f"--set {given.name}: {error}", expected="a whole number", usage=True)
            continue
        if np.any(array != np.round(array)) or np.any(array < 0):
            problems.add(
                "value", f"--set {given.name}: {array}", expected="whole numbers, 0 or more", usage=True
            )
            continue
        sizes.record(given.name, array.astype(np.intp), "--set")


def infer_dimensions(settings: Mapping[str, Expression | np.ndarray], sizes: Sizes) -> None:
    """Record the dimensions that vectors and matrices among the settings show."""
    symbols = {symbol.name: symbol for symbol in list_symbols(sizes.model)}
    for name, setting in settings.items():
        symbol = symbols[name]
        if not symbol.declared.shape or symbol.indices:
            continue
        try:
            value = setting if isinstance(setting, np.ndarray) else evaluate(setting, _sized(sizes)).plain()
        except EvaluationError:
            continue
        if value.ndim == len(symbol.declared.shape):
            sizes.record_shape(symbol, value.shape, "value of")


def _sized(sizes: Sizes) -> Environment:
    return Environment(plain=sizes.plain())


class GivenEvaluator:
    """Evaluates settings and defaults; a default may mention other givens."""

    def __init__(
        self, model: Model, sizes: Sizes, arrays: dict[str, np.ndarray],
        settings: Mapping[str, Expression | np.ndarray], problems: Problems,
    ) -> None:  # fmt: skip
        self.model, self.sizes, self.arrays = model, sizes, arrays
        self.settings, self.problems = settings, problems
        self._under_way: list[str] = []
        self._failed: set[str] = set()
        self._consequence = bool(problems)  # an unknown size may follow from what is reported already

    def fill(self, skip: frozenset[str]) -> None:
        """Put an array for every given into ``arrays``; record what is missing or does not fit.

        The absence of those in ``skip``, which the data should hold, was recorded when the data were read.
        """
        for given in self.model.givens:
            known = given.name in self.settings or given.default is not None
            if given.origin == "given" and (known or given.name not in skip):
                self._fill_one(given)

    def _fill_one(self, given: Given) -> bool:
        name = given.name
        if name in self.arrays:
            return True
        if name in self._failed:
            return False
        source = self.settings.get(name, given.default)
        if source is None and name in self.sizes.known:  # a declared size, which the rows tell
            self.arrays[name] = self.sizes.known[name]
            return True
        if source is None or name in self._under_way:
            self._report_missing(given)
            return False
        self._under_way.append(name)
        array = self._value(given, source)
        self._under_way.pop()
        if array is None:
            self._failed.add(name)
            return False
        self.arrays[name] = array
        return True

    def _report_missing(self, given: Given) -> None:
        self._failed.add(given.name)
        dims = [getattr(each, "name", "") or getattr(each, "text", "") for each in given.shape]
        shown = {0: "0.001", 1: "[0, 0]", 2: "[1, 0; 0, 1]"}[len(dims)]
        if given.support.kind == "subset":
            shown = "[1, 2]"
        what = {0: "a number", 1: "a vector", 2: "a matrix"}[len(dims)] + (
            f" ({', '.join(dims)})" if dims else ""
        )
        quoted = f'"{given.name}={shown}"' if dims else f"{given.name}={shown}"
        self.problems.add(
            "missing-value", f"`{given.name}` has no value, and no default in the model",
            expected=what, remedy=f"--set {quoted}",
        )  # fmt: skip

    def _value(self, given: Given, source: Expression | np.ndarray) -> np.ndarray | None:
        origin = "--set" if given.name in self.settings else "the default of"
        try:
            layout = self._layout(given)
            if isinstance(source, np.ndarray):
                return self._from_array(given, source, layout)
            if not self._fill_inputs(source):
                return None
            value = evaluate(source, self.environment())
            if given.support.kind == "subset":
                return value.plain().astype(float)
            return self._from_value(value, layout)
        except UnknownSize as unknown:
            if self._consequence:
                return None
            self.problems.add(
                "unknown-size", f"{origin} `{given.name}` needs the size `{unknown.name}`, which is not known",
                remedy=f"--set {unknown.name}=...",
            )  # fmt: skip
        except EvaluationError as error:
            shown = "" if isinstance(source, np.ndarray) else f" = {print_expression(source)}"
            self.problems.add(
                "value", f"{origin} `{given.name}`{shown}: {error}", usage=given.name in self.settings,
                remedy=self._remedy(given),
            )  # fmt: skip
        return None

    def _fill_inputs(self, source: Expression) -> bool:
        """Fill the givens that an expression mentions, and tell whether all of them have values."""
        givens = {given.name: given for given in self.model.givens}
        for reference in references(source):
            given = givens.get(reference.name)
            if given is None:
                continue
            if given.origin != "given" and given.name not in self.sizes.known:
                raise UnknownSize(given.name)
            if given.origin == "given" and not self._fill_one(given):
                return False
        return True

    def _remedy(self, given: Given) -> str:
        dimension = getattr(given.shape[0], "name", "2") if given.shape else ""
        return f"a multiple of the identity is written 1e4*eye({dimension})" if len(given.shape) == 2 else ""

    def _layout(self, given: Given) -> Layout:
        return self.sizes.layout(given, () if given.support.kind == "subset" else None)

    def _from_value(self, value: Value, layout: Layout) -> np.ndarray:
        if not layout.indices:
            return np.array(to_shape(value, layout.shape), dtype=float)
        if value.kind == "scalar" and not layout.shape:
            return np.full(layout.extents, float(value.array)) if not value.array.ndim else value.array
        if len(layout.blocks) == 1 and not layout.shape:
            return np.array(to_shape(value, layout.extents), dtype=float)
        return np.broadcast_to(to_shape(value, layout.shape), layout.extents).copy()

    def _from_array(self, given: Given, array: np.ndarray, layout: Layout) -> np.ndarray | None:
        if given.support.kind == "subset" or array.shape == layout.extents:
            return array
        if array.ndim == 0 and len(layout.shape) < 2:
            return np.full(layout.extents, float(array))
        expected = describe_shape(layout.extents)
        raise EvaluationError(f"found an array of shape {array.shape}, expected {expected}")

    def environment(self) -> Environment:
        """Return what is known of sizes and givens, for evaluating expressions of the model."""
        stored: dict[str, Stored] = {}
        plain = self.sizes.plain()
        for given in self.model.givens:
            if given.name in self.arrays and given.support.kind not in ("subset", "index"):
                array = self.arrays[given.name]
                if given.indices:
                    stored[given.name] = Stored(array=array, layout=self.sizes.layout(given))
                else:
                    plain[given.name] = shaped(array, (), len(given.shape))
            elif given.origin == "size" and given.name in self.sizes.known and given.indices:
                stored[given.name] = self.sizes.stored(given.name)
        plates = {plate.index: (plate.lower, plate.upper) for plate in self.model.plates}
        return Environment(stored=stored, plain=plain, plates=plates)
