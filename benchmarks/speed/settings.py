"""What a run of the comparison does: which models, sizes and peers, how long, how often."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from peers import Effort

HERE = Path(__file__).parent
MODELS = ("A", "C", "G5", "G6", "T")
GRIDS = ("30x5", "1000x50", "100000x10")
SERIES = ("100", "1000", "100000")
DATASETS = ("s2k", "1000x50", "rats", "sleep", "weak")
COUNT_DATASETS = ("s2k", "1000x50")
TABLES = tuple(range(1, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Choices of one run; ``methods`` overrides how a node is drawn, by model."""

    backend: str
    blocks: str
    models: tuple[str, ...]
    sizes: tuple[str, ...]
    datasets: tuple[str, ...]
    tables: tuple[int, ...]
    peers: tuple[str, ...]
    quick: bool
    repeats: int
    long_rows: int
    parquet_rows: int
    build: Path
    environment: Path
    methods: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def budget(self) -> float:
        """Seconds of one timing of sweeps."""
        return 0.3 if self.quick else 1.0

    @property
    def own_effort(self) -> Effort:
        """Of a generated sampler and of C, which take milliseconds: so many draws that a run is more than its start."""
        return (
            Effort(draws=5000, warmup=1000, chains=4)
            if self.quick
            else Effort(draws=20000, warmup=1000, chains=4)
        )

    def peer_effort(self, program: str) -> Effort:
        """Of a peer: the usual 1,000 of NUTS, more draws for the Gibbs sampler of JAGS."""
        if self.quick:
            return Effort(draws=500, warmup=500, chains=2)
        return Effort(draws=2500 if program == "jags" else 1000, warmup=1000, chains=4)

    def own_methods(self, key: str) -> dict[str, str]:
        """The methods chosen for the nodes of a model."""
        return dict(self.methods.get(key, {}))


def read_settings(arguments: list[str] | None = None) -> Settings:
    """Parse the command line."""
    options = _parser().parse_args(arguments)
    methods: dict[str, dict[str, str]] = {}
    for text in options.method:
        key, _, rest = text.partition(":")
        node, _, method = rest.partition("=")
        methods.setdefault(key, {})[node] = method
    build = options.build.resolve()
    return Settings(
        backend=options.backend,
        blocks=options.blocks, models=_names(options.only), sizes=_names(options.sizes),
        datasets=_names(options.datasets), tables=tuple(int(t) for t in _names(options.tables)),
        peers=_names(options.peers), quick=options.quick, repeats=options.repeats or (3 if options.quick else 7),
        long_rows=int(float(options.long_rows)), parquet_rows=int(float(options.parquet_rows)), build=build,
        environment=(options.venv or build / "venv").absolute(), methods=methods,
    )  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--backend", choices=("numpy", "numba"), default="numpy", help="of the generated samplers")
    add(
        "--blocks",
        choices=("auto", "on", "off"),
        default="auto",
        help="in tables 2, 4 and 5; 1 and 6 are plain sweeps",
    )
    add("--only", default=",".join(MODELS), metavar="A,G5", help="models")
    add("--sizes", default=",".join(GRIDS + SERIES), help="grids and series of the table of sweeps")
    add("--datasets", default=",".join(DATASETS), help="data of the table of effective draws")
    add("--tables", default=",".join(map(str, TABLES)), help="numbers of the tables to make")
    add("--peers", default="jags,nutpie,numpyro", help="peers, each optional; empty for none")
    add(
        "--method",
        action="append",
        default=[],
        metavar="MODEL:NODE=METHOD",
        help="how the sampler draws a node",
    )
    add(
        "--quick",
        action="store_true",
        help="short chains, and for NUTS one parametrisation for each data set",
    )
    add("--repeats", type=int, help="how often each timed thing is run, in turn with the others")
    add("--long-rows", default="1e7", help="rows of the longest grid of 1,000 groups")
    add("--parquet-rows", default="1e7", help="rows of the Parquet file; 1e8 is the full test")
    add(
        "--build",
        type=Path,
        default=HERE / "build",
        help="folder of programs, results and the peers' environment",
    )
    add("--venv", type=Path, help="the peers' environment, where it is elsewhere")
    return parser
