"""An explanation as a person reads it, as text or Markdown, or as JSON."""

from __future__ import annotations

import json
from typing import Any

from deriver.errors import Mistake, UsageError
from deriver.families import family as family_record
from deriver.remedies.records import Explanation, Remedy, Step
from deriver.show.document import Block, Paragraph
from deriver.show.latex import LatexSpelling
from deriver.show.names import names_of
from deriver.show.record import describe_node
from deriver.show.steps import Steps
from deriver.show.terminal import Terminal
from deriver.show.tex import SCREEN, Markdown
from deriver.show.text import TextSpelling

FORMATS = ("text", "markdown", "json")


def render(explanation: Explanation, format: str = "text", *, unicode: bool = True, width: int = 96) -> str:
    """Return an explanation in a format; raise ``UsageError`` for one that there is not."""
    if format == "json":
        return json.dumps(_record(explanation), indent=2, ensure_ascii=False) + "\n"
    if format == "text":
        return _TextWriter(unicode, width).write(explanation)
    if format == "markdown":
        return _MarkdownWriter().write(explanation)
    found = f"an explanation has no format `{format}`"
    raise UsageError([Mistake(code="format", found=found, expected="one of " + ", ".join(FORMATS))])


def remedy_of(explanation: Explanation, number: int) -> Remedy:
    """Return a remedy by its number, from 1; raise ``UsageError`` where there is none."""
    if 1 <= number <= len(explanation.remedies):
        return explanation.remedies[number - 1]
    count = len(explanation.remedies)
    expected = f"a number from 1 to {count}" if count else "no --remedy, for there is none"
    found = f"there is no remedy {number} for {explanation.node}"
    raise UsageError([Mistake(code="remedy", found=found, expected=expected)])


def _opening(explanation: Explanation) -> tuple[Block, ...]:
    """Return the derivation of the node as it stands, to the point where it fails."""
    steps = Steps(explanation.derivation, explanation.conditional)
    blocks: list[Block] = [steps.show_blanket(), steps.show_kernel(), *steps.show_definitions()]
    if explanation.conjugate:
        return (*blocks, *steps.show_outcome())
    reason = explanation.conditional.reason
    if reason is None:
        words = "It takes finitely many values, which are enumerated: no family is needed"
        return (*blocks, Paragraph(words=(f"{words}.",)))
    blocks.append(Paragraph(words=(f"Not conjugate: {reason.why}.",)))
    if reason.term is not None:
        blocks.append(Paragraph(words=("The term in question is ", steps.arrange(reason.term), ".")))
    return tuple(blocks)


def _outcome(remedy: Remedy) -> tuple[Block, ...]:
    return Steps(remedy.derivation, remedy.conditional).show_family()


def _summary(explanation: Explanation) -> str:
    """Return what was found, in a sentence."""
    if explanation.conjugate:
        return "Nothing needs mending: it is drawn from that family as it stands."
    count = len(explanation.remedies)
    if count == 0:
        words = "No rewrite of the model that deriver knows makes it conjugate"
        return f"{words} ({explanation.tried} derived anew): it is drawn by Metropolis–Hastings."
    what = "1 remedy works" if count == 1 else f"{count} remedies work"
    return f"{what}. Each changed model was derived anew and held against its joint density."


def _heading(explanation: Explanation) -> str:
    verdict = "is conjugate" if explanation.conjugate else "is not conjugate"
    return f"Why {explanation.node} {verdict} in the model {explanation.derivation.model.name}"


def _effect(remedy: Remedy) -> str:
    return "same posterior" if remedy.same else "another posterior"


def _title(steps: tuple[Step, ...]) -> str:
    text = "; then ".join(step.title for step in steps)
    return text[0].upper() + text[1:]


def _reasons(steps: tuple[Step, ...]) -> str:
    telling = [step for step in steps if not step.same] or list(steps)
    sentences = [f"{why[0].upper()}{why[1:]}." for why in dict.fromkeys(step.why for step in telling)]
    return " ".join(sentences)


def _sources(steps: tuple[Step, ...]) -> str:
    return "; ".join(dict.fromkeys(step.source for step in steps if step.source))


class _TextWriter:
    """Writes an explanation for the terminal."""

    def __init__(self, unicode: bool, width: int) -> None:
        self.unicode, self.width = unicode, width

    def write(self, explanation: Explanation) -> str:
        heading = _heading(explanation)
        rule = ("═" if self.unicode else "=") * len(heading)
        terminal = self._terminal(explanation)
        parts = [
            f"{heading}\n{rule}",
            terminal.set_blocks((*_opening(explanation), _words(_summary(explanation)))),
        ]
        parts += [self._remedy(number, remedy) for number, remedy in enumerate(explanation.remedies, 1)]
        return self._plain("\n\n".join(parts)) + "\n"

    def _terminal(self, holder: Explanation | Remedy) -> Terminal:
        return Terminal(TextSpelling(names_of(holder.derivation.model), self.unicode), self.width)

    def _remedy(self, number: int, remedy: Remedy) -> str:
        terminal = self._terminal(remedy)
        rule = ("─" if self.unicode else "-") * self.width
        words = [_words(f"{number}. {_title(remedy.steps)}   [{_effect(remedy)}]")]
        head = terminal.set_blocks(tuple(words))[2:]
        source = _sources(remedy.steps)
        why = _reasons(remedy.steps) + (f" ({source}.)" if source else "")
        changes = "\n".join(f"    {line}" for line in remedy.changes)
        become = terminal.set_blocks((_words("Then:"), *_outcome(remedy)))
        return f"{rule}\n{head}\n{rule}\n\n{terminal.set_blocks((_words(why),))}\n\n{changes}\n\n{become}"

    def _plain(self, text: str) -> str:
        if self.unicode:
            return text
        for letter, plain in (("ó", "o"), ("ö", "o"), ("ü", "u"), ("–", "-")):
            text = text.replace(letter, plain)
        return text


class _MarkdownWriter:
    """Writes an explanation in Markdown."""

    def write(self, explanation: Explanation) -> str:
        markdown = self._markdown(explanation)
        parts = [
            f"# Why `{explanation.node}` {_heading(explanation).removeprefix(f'Why {explanation.node} ')}"
        ]
        parts.append(markdown.set_blocks((*_opening(explanation), _words(_summary(explanation)))))
        parts += [self._remedy(number, remedy) for number, remedy in enumerate(explanation.remedies, 1)]
        return "\n\n".join(parts) + "\n"

    def _markdown(self, holder: Explanation | Remedy) -> Markdown:
        return Markdown(LatexSpelling(names_of(holder.derivation.model)), SCREEN)

    def _remedy(self, number: int, remedy: Remedy) -> str:
        markdown = self._markdown(remedy)
        source = _sources(remedy.steps)
        why = _reasons(remedy.steps) + (f" ({source}.)" if source else "")
        changes = "\n".join(remedy.changes)
        parts = [
            f"## {number}. {markdown.plain(_title(remedy.steps))} ({_effect(remedy)})",
            markdown.plain(why),
            f"```diff\n{changes}\n```",
            markdown.set_blocks(_outcome(remedy)),
            f"The whole model:\n\n```\n{remedy.text}```",
        ]
        return "\n\n".join(parts)


def _words(text: str) -> Paragraph:
    return Paragraph(words=(text,))


# --- JSON ---------------------------------------------------------------------------------------------------


def _record(explanation: Explanation) -> dict[str, Any]:
    """Return the record of an explanation, expressions in the model language."""
    return {
        "model": explanation.derivation.model.name,
        "node": explanation.node,
        "conjugate": explanation.conjugate,
        "conditional": describe_node(explanation.derivation, explanation.conditional),
        "remedies": [_remedy_record(remedy) for remedy in explanation.remedies],
    }


def _remedy_record(remedy: Remedy) -> dict[str, Any]:
    steps = [
        {"kind": s.kind, "title": s.title, "same_posterior": s.same, "why": s.why, "source": s.source}
        for s in remedy.steps
    ]
    return {
        "steps": steps,
        "same_posterior": remedy.same,
        "changes": list(remedy.changes),
        "model": remedy.text,
        "node": remedy.node,
        "family": family_record(remedy.conditional.family or "").title,
        "conditional": describe_node(remedy.derivation, remedy.conditional),
    }
