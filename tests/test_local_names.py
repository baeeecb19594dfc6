"""A model may call its quantities what the emitted functions call their own locals: the draws stay the same."""

import ast
import dataclasses
import re

import numpy as np
import pytest

from deriver.emission import emit
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from tests.emitted import load_source

# Words that stand in the emitted text, that hints become, and of modules and helpers.
WORDS = ("u", "np", "far", "value", "weight", "deviation", "part", "mean", "rss", "log_jacobian", "Data")
MODELS = {
    "a positive walk": """
model named
plates
  i = 1..n
given
  GIVEN > 0
data
  y[i] ~ Gamma(shape=NODE, rate=GIVEN)
parameters
  NODE ~ Gamma(shape=2, rate=1)
""",
    "a mean that walks": """
model named
plates
  i = 1..n
given
  GIVEN
data
  y[i] ~ N(NODE^2 + GIVEN, s2)
parameters
  NODE ~ N(1, 1)
  s2 ~ IG(3, 2)
""",
    "neighbours in turn": """
model named
plates
  i = 1..n
given
  GIVEN > 0
data
  y[i] ~ Gamma(shape=NODE[i], rate=GIVEN)
process
  NODE[1] ~ Gamma(shape=2, rate=1)
  NODE[i] ~ Gamma(shape=2, rate=2 / NODE[i-1]) for i in 2..n
parameters
  w ~ N(0, 1)
""",
    "a recursion": """
model named
plates
  i = 1..n
given
  GIVEN > 0
data
  y[i] ~ N(NODE[i], 1)
process
  NODE[1] = start
  NODE[i] = rate * NODE[i-1] + GIVEN for i in 2..n
parameters
  start ~ Gamma(shape=2, rate=1)
  rate ~ Uniform(0, 1)
""",
}
Y = np.array([0.4, 1.3, 0.8, 2.1, 0.9])


def write(model: str, node: str, given: str, backend: str = "numpy") -> str:
    text = re.sub(r"\bGIVEN\b", given, re.sub(r"\bNODE\b", node, MODELS[model]))
    derivation = derive(parse_model(text))
    return emit(derivation, plan(derivation), backend=backend)


def draw(model: str, node: str, given: str, folder) -> list[np.ndarray]:
    """Return the state after a few sweeps, in the order of the model, with its log joint density."""
    module = load_source(write(model, node, given), folder, f"{node}_{given}")
    data = module.prepare({given: 1.3, "y": Y, "n": len(Y)})
    rng = np.random.default_rng(4)
    state = module.starting_values(rng, data, 3)
    steps = module.first_steps(state)
    for _ in range(4):
        state, _ = module.sweep(rng, state, data, steps)
    values = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    own = values.pop(node, None)
    return [*([] if own is None else [own]), *values.values(), module.log_joint(state, data)]


@pytest.mark.parametrize("model", MODELS)
def test_the_draws_hang_on_no_name(model: str, tmp_path) -> None:
    plain = draw(model, "theta", "scaler", tmp_path)
    for word in WORDS:
        for node, given in ((word, "scaler"), ("theta", word)):
            for here, there in zip(draw(model, node, given, tmp_path), plain, strict=True):
                np.testing.assert_allclose(here, there, rtol=1e-6, err_msg=f"{node}, {given}")


@pytest.mark.parametrize("model", list(MODELS)[:2])
def test_compiled_functions_keep_what_they_unpack(model: str) -> None:
    """A name is unpacked or given to a function once, and never assigned to again but by the move of its own node."""
    for word in WORDS:
        for node, given in ((word, "scaler"), ("theta", word)):
            tree = ast.parse(write(model, node, given, "numba"))
            for function in (part for part in tree.body if isinstance(part, ast.FunctionDef)):
                if re.match("draw_|update_|log_density_", function.name):
                    own = {node, f"{node}_"} - {"u"}
                    assert reassigned(function) <= own, (node, given, function.name)


def reassigned(function: ast.FunctionDef) -> set[str]:
    """Return the parameters, and names unpacked from the state and the data, that are assigned to again."""
    held = [argument.arg for argument in function.args.args]
    stores = [
        part.id
        for part in ast.walk(function)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
    for line in function.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            source = line.value.value if isinstance(line.value, ast.Subscript) else line.value
            if isinstance(source, ast.Attribute) and getattr(source.value, "id", "") in ("state", "data"):
                stores.remove(line.targets[0].id)
                held.append(line.targets[0].id)
    return set(held) & set(stores)
