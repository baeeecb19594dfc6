"""Inits of a BUGS program as starting values of the translated model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.bugs.translate import Translation


def starts_of(translation: Translation, inits: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where each node begins that the inits give in full; what they leave out begins as ever.

    Of a node that they give in part, ``N.est = c(30, NA, NA)``, the rest begins where the element before it does.
    """
    found: dict[str, np.ndarray] = {}
    for ours, site in translation.sites.items():
        given = inits.get(site.name)
        if given is None or given.ndim != len(site.where):
            continue
        value = _fill_forward(np.asarray(given[site.where]))
        if value.size and not np.isnan(value).any():
            found[ours] = value
    return found


def _fill_forward(value: np.ndarray) -> np.ndarray:
    """Return an array in which each missing element is as the last one before it, in the order of the places."""
    flat = value.reshape(-1)
    last = np.maximum.accumulate(np.where(np.isnan(flat), -1, np.arange(flat.size)))
    return np.where(last >= 0, flat[last], np.nan).reshape(value.shape)
