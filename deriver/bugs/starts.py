"""Inits of a BUGS program as starting values of the translated model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.bugs.translate import Translation


def starts_of(translation: Translation, inits: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where each node begins that the inits give in full; what they leave out begins as ever."""
    found: dict[str, np.ndarray] = {}
    for ours, site in translation.sites.items():
        given = inits.get(site.name)
        if given is None or given.ndim != len(site.where):
            continue
        value = np.asarray(given[site.where])
        if value.size and not np.isnan(value).any():
            found[ours] = value
    return found
