"""A stand-in for an emitted sampler: the interface that a run depends on, without a model behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SOURCE = '''
"""Draws standard normal numbers of the given shapes."""
import numpy as np

SHAPES = {shapes!r}
TUNED = {tuned!r}
STOP = {stop!r}


def prepare(data):
    return data


def sample(data, *, draws=1000, warmup=1000, chains=4, thin=1, seed=None, keep=None, start=None, progress=None):
    rng = np.random.default_rng(seed)
    done = draws if STOP is None else min(STOP, draws)
    names = list(SHAPES) if keep is None else list(keep)
    found = {{name: np.abs(rng.normal(size=(chains, draws) + SHAPES[name])[:, :done]) for name in names}}
    found["acceptance"] = {{name: np.full((chains,) + SHAPES[name], 0.4) for name in TUNED}}
    if progress is not None:
        progress(warmup + draws, warmup + draws)
    return found
'''


def fake_source(
    shapes: Mapping[str, tuple[int, ...]], *, tuned: Sequence[str] = (), stop: int | None = None
) -> str:
    """Return the source of a module that draws nodes of these shapes; ``stop`` plays an interrupt."""
    return SOURCE.format(shapes=dict(shapes), tuned=list(tuned), stop=stop)
