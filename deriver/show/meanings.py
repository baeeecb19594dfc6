"""Show stage, the meaning of deterministic names: the rows of a ``where``."""

from __future__ import annotations

from collections.abc import Iterable

from deriver.derivation.records import Derivation
from deriver.show.arrange import Arranger
from deriver.show.document import Row
from deriver.show.order import names_in


def definitions_in(names: Iterable[str], derivation: Derivation, arranger: Arranger) -> tuple[Row, ...]:
    """Return a row for each deterministic name used, and for those that its meaning uses in turn."""
    known = {one.element.name: (one.element, one.expression) for one in derivation.definitions}
    wanted = [name for name in known if name in set(names)]
    for name in wanted:
        wanted += [other for other in known if other in names_in(known[name][1]) and other not in wanted]
    return tuple(
        Row(left=arranger.arrange(known[name][0]), relation="=", right=arranger.arrange(known[name][1]))
        for name in wanted
    )
