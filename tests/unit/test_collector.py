"""The thresholds of the garbage collector inside and after ``fewer_collections``."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from deriver.cli import main
from deriver.running.collector import OBJECTS, fewer_collections


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_collections_are_fewer_inside_and_as_before_after_a_fault() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(ZeroDivisionError), fewer_collections():
        assert gc.get_threshold() == (OBJECTS, 10, 10)
        raise ZeroDivisionError
    assert gc.get_threshold() == (700, 10, 10)


def test_a_collector_that_is_off_stays_off() -> None:
    gc.set_threshold(0, 10, 10)
    with fewer_collections():
        assert gc.get_threshold()[0] == 0


def test_a_command_leaves_the_collector_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(
        "deriver.cli.COMMANDS", {"demo": lambda options: found.append(gc.get_threshold()[0]) or 0}
    )
    gc.set_threshold(700, 10, 10)
    assert main(["demo"]) == 0
    assert found == [OBJECTS]
    assert gc.get_threshold()[0] == 700
