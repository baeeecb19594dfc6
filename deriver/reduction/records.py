"""What a reduced sampler is given of the rows: plain records, kept from run to run as JSON beside the source.

A factor of a row is text in the model's language over the symbols of the row, without their subscripts, as every one of
them has the row's own: ``y``, ``(y - x)^2``, ``lgamma(1 + y)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which rows belong together: those of a value of a plate, or (with ``column``) those whose group column says so."""

    plate: str
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A factor of a row: ``scalar``, times the vector of the row called ``vector`` if there is one."""

    scalar: str = "1"
    vector: str = ""


ONE = Term()


@dataclass(frozen=True, slots=True, kw_only=True)
class SumOfProducts:
    """The statistic ``name``: ``number`` × Σ left × right, over the rows of each group, or over all (no ``grouping``)."""

    name: str
    number: float
    left: Term
    right: Term
    grouping: Grouping | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOfRows:
    """The statistics that a fit makes, under the names that it gives them; ``weight`` is 1 or a factor of the row."""

    rss: str
    fits: tuple[str, ...]
    rests: tuple[str, ...]
    roots: tuple[str, ...]
    response: Term
    columns: tuple[Term, ...]
    weight: Term
    grouping: Grouping | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentsOfResponse:
    """The variance or the mean square of a response over all rows, which the starts of the chains need."""

    name: str
    response: Term
    square: bool


Item = SumOfProducts | FitOfRows | MomentsOfResponse
KINDS: Mapping[str, type[Item]] = {
    kind.__name__: kind for kind in (SumOfProducts, FitOfRows, MomentsOfResponse)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that is computed from the rows; ``rows`` are the plate indices of a row, outermost first."""

    rows: tuple[str, ...]
    items: tuple[Item, ...]

    def groupings(self) -> tuple[Grouping, ...]:
        """Return the groupings in use."""
        found = (item.grouping for item in self.items if not isinstance(item, MomentsOfResponse))
        return tuple(dict.fromkeys(grouping for grouping in found if grouping is not None))


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as what JSON can hold."""
    items = [{"kind": type(item).__name__, **asdict(item)} for item in recipe.items]
    return {"rows": list(recipe.rows), "items": items}


def recipe_from_json(kept: Any) -> Recipe:
    """Return the recipe that was kept; raises ``KeyError``, ``TypeError`` or ``AttributeError`` where it is none."""
    items = []
    for each in kept["items"]:
        fields = {name: _read(value) for name, value in each.items() if name != "kind"}
        items.append(KINDS[each["kind"]](**fields))
    return Recipe(rows=tuple(kept["rows"]), items=tuple(items))


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(each) for each in value)
    if isinstance(value, dict):
        return Grouping(**value) if "plate" in value else Term(**value)
    return value
