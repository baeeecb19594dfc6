"""The report of a check as text, Markdown or JSON: the same for the same model and claims on every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal, get_args

from deriver.checking.records import LineResult, Report, Result, Slip
from deriver.errors import Mistake, UsageError

Format = Literal["text", "markdown", "json"]

_WORDS = {
    "equal": "equal",
    "proportional": "proportional",
    "wrong_parameter": "the right family, with a wrong parameter",
    "wrong": "wrong",
}


def render_report(report: Report, format: str = "text") -> str:
    """Return the report in a format; raise ``UsageError`` for one that there is not."""
    if format not in get_args(Format):
        expected = "one of " + ", ".join(get_args(Format))
        raise UsageError([Mistake(code="format", found=f"there is no format `{format}`", expected=expected)])
    if format == "json":
        return json.dumps(_record(report), indent=2, ensure_ascii=False) + "\n"
    if format == "markdown":
        return "\n".join(_markdown(report)) + "\n"
    return "\n".join(_text(report)) + "\n"


def summarise(report: Report) -> str:
    """Return one sentence on all claims."""
    wrong = sum(not result.passed for result in report.results)
    count = len(report.results)
    claims = "1 claim" if count == 1 else f"{count} claims"
    if not wrong:
        return f"{report.origin} against {report.model}: {claims}, {'right' if count == 1 else 'all right'}"
    return f"{report.origin} against {report.model}: {claims}, {wrong} wrong"


# --- text --------------------------------------------------------------------------------------------------


def _text(report: Report) -> Iterator[str]:
    for result in report.results:
        yield from _result_text(result)
        yield ""
    yield summarise(report)


def _result_text(result: Result) -> Iterator[str]:
    mark = "right" if result.passed else "WRONG"
    yield f"{result.title}  (line {result.line}): {mark}"
    several = len(result.lines) > 1
    if several and result.first_wrong is not None:
        yield f"  the first wrong line is line {result.first_wrong.line}"
    for each in result.lines:
        if several:
            yield f"  line {each.line}: {each.text}"
        indent = "    " if several else "  "
        yield from (indent + text for text in _line_text(each))


def _line_text(each: LineResult) -> Iterator[str]:
    yield describe_verdict(each)
    if each.follows is not None:
        yield "follows from the line before" if each.follows else "does not follow from the line before"
    yield from each.notes
    for comparison in each.comparisons:
        yield f"{comparison.name}:"
        yield f"  theirs: {comparison.theirs}"
        yield f"  right:  {comparison.right}"
        if comparison.relation:
            yield f"  {comparison.relation}"
    yield from _slip_text(each)
    example = each.counterexample
    if example is not None:
        yield "counter-example, to recompute by hand:"
        yield "  " + ", ".join(f"{name} = {value}" for name, value in example.values)
        yield f"  {example.what}: theirs {example.theirs}, right {example.right}"


def _slip_text(each: LineResult) -> Iterator[str]:
    if not each.slips:
        return
    yield "likely slip:" if len(each.slips) == 1 else "likely slips, which together make it right:"
    yield from ("  " + slip.sentence() for slip in each.slips)
    told = {slip.sentence() for slip in each.slips}
    for other in each.alternatives:
        rest = [slip for slip in other if slip.sentence() not in told]
        if rest:
            yield "  or " + "; ".join(slip.sentence() for slip in rest)


def describe_verdict(each: LineResult) -> str:
    """Return the verdict in words, and how it was shown."""
    words = _WORDS[each.verdict]
    if each.proof == "symbolic":
        return f"{words}, shown symbolically"
    if each.proof == "numeric":
        return f"{words}, agreeing at {each.states} random states to 1e-8"
    return words


# --- Markdown ----------------------------------------------------------------------------------------------


def _markdown(report: Report) -> Iterator[str]:
    yield f"# Claims about {report.model}"
    yield ""
    yield summarise(report) + "."
    yield ""
    yield "| line | claim | verdict | likely slips |"
    yield "|---|---|---|---|"
    for result in report.results:
        slips = ", ".join(slip.name for slip in result.slips) or "–"
        verdict = describe_verdict(result.deciding)
        yield f"| {result.deciding.line} | `{_escape(result.title)}` | {verdict} | {slips} |"
    for result in report.results:
        if not result.passed:
            yield ""
            yield f"## `{result.title}`, line {result.line}"
            yield ""
            yield "```text"
            yield from _result_text(result)
            yield "```"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


# --- JSON --------------------------------------------------------------------------------------------------


def _record(report: Report) -> dict[str, Any]:
    return {
        "model": report.model,
        "claims": report.origin,
        "passed": report.passed,
        "results": [_result_record(result) for result in report.results],
    }


def _result_record(result: Result) -> dict[str, Any]:
    wrong = result.first_wrong
    return {
        "claim": result.title,
        "node": result.node,
        "line": result.line,
        "passed": result.passed,
        "verdict": result.verdict,
        "first_wrong_line": None if wrong is None else wrong.line,
        "slips": [_slip_record(slip) for slip in result.slips],
        "lines": [_line_record(each) for each in result.lines],
    }


def _slip_record(slip: Slip) -> dict[str, Any]:
    return {**asdict(slip), "aliases": list(slip.aliases)}


def _line_record(each: LineResult) -> dict[str, Any]:
    example = each.counterexample
    return {
        "line": each.line,
        "text": each.text,
        "verdict": each.verdict,
        "proof": each.proof,
        "states": each.states,
        "follows": each.follows,
        "notes": list(each.notes),
        "parameters": [asdict(comparison) for comparison in each.comparisons],
        "slips": [_slip_record(slip) for slip in each.slips],
        "alternatives": [[_slip_record(slip) for slip in repair] for repair in each.alternatives],
        "counterexample": None
        if example is None
        else {
            "values": dict(example.values), "what": example.what, "theirs": example.theirs, "right": example.right,
        },
    }  # fmt: skip
