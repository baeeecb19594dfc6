"""Checking stage: hand derivations against derived ones.

Input: a model and a text of claims, in the model language's expressions.  Output: a ``Report``: for each claim a
verdict (``equal``, ``proportional``, ``wrong_parameter``, ``wrong``), and for a wrong one which parameter differs,
a counter-example with round numbers and the likely slips, found by a search over edits that make the claim right.
"""

from __future__ import annotations

from deriver.checking.bench import make_bench
from deriver.checking.judging import judge_claim
from deriver.checking.reading import read_claims
from deriver.checking.records import SLIPS, LineResult, Report, Result, Slip, Verdict
from deriver.checking.resolving import resolve_claim
from deriver.language.mistakes import Mistakes
from deriver.language.tokens import split_lines
from deriver.model.records import Model

__all__ = [
    "SLIPS",
    "LineResult",
    "Report",
    "Result",
    "Slip",
    "Verdict",
    "check_claim",
    "check_text",
    "claim_text",
]


def check_text(model: Model, text: str, origin: str = "claims") -> Report:
    """Return the verdicts on all claims of a text.

    Raises ``ModelError`` with every mistake of the text: unknown names, dimensions that do not fit, an index that is
    not summed over.
    """
    lines = split_lines(text)
    mistakes = Mistakes(lines, origin)
    claims = read_claims(lines, mistakes)
    bench = make_bench(model)
    resolved = [resolve_claim(bench, claim, mistakes) for claim in claims]
    mistakes.raise_any()
    results = [judge_claim(bench, claim, mistakes) for claim in resolved if claim is not None]
    mistakes.raise_any()
    return Report(model=model.name, origin=origin, results=tuple(r for r in results if r is not None))


def check_claim(model: Model, text: str) -> Result:
    """Return the verdict on a text that holds one claim; raise ``ModelError`` for a mistake in it."""
    report = check_text(model, text, "claim")
    if len(report) != 1:
        mistakes = Mistakes(split_lines(text), "claim")
        mistakes.add("claims", f"the text holds {len(report)} claims", expected="one claim")
        mistakes.raise_any()
    return report.results[0]


def claim_text(model: Model, node: str, claim: str) -> str:
    """Return a claim about a node: the right side alone gets ``[node | .] =`` before it."""
    if "|" in claim.partition("where")[0] and "." in claim:
        return claim
    indices = next((each.indices for each in model.nodes if each.name == node), ())
    head = f"{node}[{','.join(indices)}]" if indices else node
    relation = "" if claim.lstrip().startswith(("=", "~", "∝", "prop ")) else "= "
    return f"[{head} | .] {relation}{claim.strip()}"
