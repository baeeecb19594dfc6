"""The table of distribution families, made from their records."""

from __future__ import annotations

from deriver.families import FAMILIES
from deriver.families.record import Family

_HEADER = ("written", "statistics of its kernel", "`T(,)`")

_STATISTICS = {
    "normal": "θ, θ² (θ a number)",
    "mvnormal": "θ, θθ′ (θ a vector)",
    "gamma": "log θ, θ",
    "inverse_gamma": "log θ, 1/θ",
    "sqrt_inverse_gamma": "log θ, 1/θ²",
    "wishart": "log det Θ, Θ",
    "inverse_wishart": "log det Θ, Θ⁻¹",
    "beta": "log θ, log(1 − θ)",
    "dirichlet": "log θ_k",
}


def family_table() -> str:
    """Return the families as a Markdown table: how each is written, and the statistics of its kernel."""
    rows = [_HEADER, ("---",) * len(_HEADER), *map(_row, FAMILIES)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _row(family: Family) -> tuple[str, ...]:
    forms = []
    if family.short is not None:
        forms.append(f"`{family.short}({', '.join(family.parametrisations[0].keywords)})`")
    for form in family.parametrisations:
        if form.long:
            forms.append(
                f"`{family.surface}({', '.join(_argument(family, form.keywords, k) for k in form.keywords)})`"
            )
    return (", ".join(dict.fromkeys(forms)), _STATISTICS.get(family.key, ""), "yes" if family.cdf else "")


def _argument(family: Family, keywords: tuple[str, ...], keyword: str) -> str:
    bare = family.positional and keywords == family.parametrisations[0].keywords
    leading = keywords.index(keyword) < family.leading
    return keyword if bare or leading else f"{keyword}="
