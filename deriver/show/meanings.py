"""Show stage, the meaning of deterministic names: the rows of a ``where``."""

from __future__ import annotations

from collections.abc import Iterable

from deriver.derivation.records import Definition, Derivation
from deriver.derivation.recursions import spell_out
from deriver.show.arrange import Arranger
from deriver.show.document import Row
from deriver.show.order import names_in


def definitions_in(names: Iterable[str], derivation: Derivation, arranger: Arranger) -> tuple[Row, ...]:
    """Return a row for each deterministic name used, and for those that its meaning uses in turn."""
    known = {one.element.name: one for one in derivation.definitions}
    wanted = [name for name in known if name in set(names)]
    for name in wanted:
        wanted += [
            other for other in known if other in names_in(known[name].expression) and other not in wanted
        ]
    return tuple(row for name in wanted for row in _rows(known[name], arranger))


def _rows(definition: Definition, arranger: Arranger) -> list[Row]:
    return [
        Row(
            left=arranger.arrange(element), relation="=", right=arranger.arrange(expression),
            where=tuple(map(arranger.relation, conditions)),
        )
        for element, expression, conditions in spell_out(definition)
    ]  # fmt: skip
