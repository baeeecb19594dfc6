"""The classic BUGS examples: each reads, translates and derives; some run, held against exact posteriors."""

from __future__ import annotations

import warnings

import arviz
import numpy as np
import pytest

import deriver
from deriver.bugs import Translation, read_program
from tests.bugs.programs import EXACT, PROGRAMS, data_of, program_of
from tests.posterior_checks import STANDARD_ERRORS, element


def translated(name: str) -> Translation:
    return read_program(program_of(name), data_of(name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_reads_translates_and_derives(name: str) -> None:
    translation = translated(name)
    derivation = deriver.derive(translation.model)
    drawn = {
        node.name for node in translation.model.nodes if node.kind == "stochastic" and node.layer != "data"
    }
    assert {each.node for each in derivation.conditionals} >= drawn
    assert deriver.print_model(deriver.parse_model(translation.text)) == deriver.print_model(
        translation.model
    )


@pytest.mark.parametrize("name", sorted(EXACT))
def test_posterior_means_are_the_exact_ones(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = deriver.run(
            program_of(name),
            data_of(name),
            chains=4,
            warmup=1000,
            draws=1500,
            seed=7,
            backend="numpy",
            progress=False,
        )
    wrong = {}
    for quantity, exact in EXACT[name].items():
        draws = element(result.idata.posterior, quantity)
        error = float(arviz.mcse(draws, method="mean"))
        assert error < 0.15 * draws.std()
        if abs(draws.mean() - exact) > STANDARD_ERRORS * error:
            wrong[quantity] = (float(draws.mean()), exact, error)
    assert wrong == {}
    assert np.isfinite(result.seconds)
