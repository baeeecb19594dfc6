"""Write reference posteriors to JSON and print them. Input: estimates; output: a file and a table."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "deriver" / "examples" / "references.json"
POSTERIORS = ROOT / "tests" / "references" / "posteriors.json"
ORDER = ("source", "command", "data", "model", "priors", "values", "columns", "index", "fix", "parameters")
SIGNIFICANT_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Posterior mean and standard deviation of a scalar, with the Monte Carlo error of each."""

    mean: float
    sd: float
    mcse: float = 0.0
    sd_mcse: float = 0.0


def round_significant(value: float) -> float:
    """`value` to eight significant digits, so that files do not differ by machine."""
    return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")


def as_record(estimate: Estimate) -> dict[str, float]:
    """An estimate as a JSON object."""
    fields = ("mean", "sd", "mcse", "sd_mcse")
    return {field: round_significant(getattr(estimate, field)) for field in fields}


def as_records(estimates: dict[str, Estimate]) -> dict[str, dict[str, float]]:
    """Estimates by name as a JSON object, in the order given."""
    return {name: as_record(estimate) for name, estimate in estimates.items()}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with a trailing newline, keys in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file, empty if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def update_entry(key: str, path: Path = REFERENCES, **fields: Any) -> None:
    """Replace the named fields of one entry of a file; leave everything else as it is."""
    content = read_json(path)
    entry = content.get(key, {}) | fields
    names = [name for name in ORDER if name in entry] + sorted(set(entry) - set(ORDER))
    content[key] = {name: entry[name] for name in names}
    write_json(path, dict(sorted(content.items())))


def write_posterior(
    key: str, setting: dict[str, Any], estimates: dict[str, Estimate], *, source: str, command: str
) -> None:
    """Print one posterior and write it to tests/references/posteriors.json.

    `setting` has the data, the model and what a run of it takes: priors (in words), values, columns, index, fix.
    """
    print_table(key, estimates)
    fields = {"fix": {}} | setting | {"parameters": as_records(estimates)}
    update_entry(key, POSTERIORS, source=source, command=f"python benchmarks/references/{command}", **fields)


def print_table(title: str, estimates: dict[str, Estimate]) -> None:
    """Print one line per parameter."""
    print(f"\n{title}")
    print(f"{'parameter':<14}{'mean':>14}{'sd':>14}{'mcse':>11}{'sd_mcse':>11}")
    for name, e in estimates.items():
        print(f"{name:<14}{e.mean:>14.7g}{e.sd:>14.7g}{e.mcse:>11.2g}{e.sd_mcse:>11.2g}")


def require(condition: bool, message: str) -> None:
    """Stop with `message` if a check of the computation fails."""
    if not condition:
        raise SystemExit(f"check failed: {message}")
