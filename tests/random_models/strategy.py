"""The Hypothesis strategy: models put together from predictors, pairs, near misses and set pieces."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.random_models.draft import Case, Draft
from tests.random_models.pairs import add_near_miss, add_pair
from tests.random_models.predictors import observe
from tests.random_models.set_pieces import SET_PIECES


@st.composite
def random_models(draw: Callable) -> Case:
    """Draw a well-formed model with what must and must not be recognised in it."""
    draft = Draft(draw)
    for number in range(1, draft.choose(1, 1, 1, 2, 3) + 1):
        kind = draft.choose("pair", "pair", "predictor", "predictor", "near_miss", "set_piece")
        add = {"pair": add_pair, "predictor": add_predictor, "near_miss": add_near_miss}.get(kind)
        (add or draft.choose(*SET_PIECES))(draft, str(number))
    return draft.finish(seed=draw(st.integers(0, 999)))


def add_predictor(draft: Draft, tag: str) -> None:
    """Add an observed node with a predictor; effects are shared between those of one model."""
    observe(draft, f"y{tag}")
