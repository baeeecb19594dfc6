"""Messages to a caller from Python name keywords, those of the command line its options."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.errors import DeriverError
from deriver.running.wording import reword


@pytest.mark.parametrize(
    ("option", "keyword"),
    [
        ("--map y=reaction: no column", 'columns={"y": "reaction"}: no column'),
        ('--map "x=[1, COLUMN]", where 1 is', 'columns={"x": "[1, COLUMN]"}, where 1 is'),
        ("--set S=...", 'values={"S": ...}'),
        ("add --fix phi=1 or --start rho=0.5", 'add fix={"phi": 1} or start={"rho": 0.5}'),
        ("--set q: the model has", 'values["q"]: the model has'),
        ("leave out --index i to count", 'leave out index["i"] to count'),
        ("--keep mu: no node", 'keep=["mu"]: no node'),
        ('--derive "sd = sqrt(v)": nothing', 'derived=["sd = sqrt(v)"]: nothing'),
        ("named by --index, by group columns", "named by index, by group columns"),
        ("--draws is 0", "draws is 0"),
        ("--log-likelihood", "log_likelihood"),
    ],
)
def test_options_become_keywords(option: str, keyword: str) -> None:
    assert reword(option) == keyword


def test_a_call_from_python_is_answered_in_python() -> None:
    with pytest.raises(DeriverError) as caught:
        deriver.run("wishart", {"y": np.zeros(4)}, values={"nosuch": 1}, draws=0)
    assert "--" not in str(caught.value)
    assert 'values={"nosuch"' in str(caught.value) or 'values["nosuch"]' in str(caught.value)
