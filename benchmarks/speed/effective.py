"""Tables of effective draws: by second against peers (2), C against JAGS (3), by sweep (4), and the Nile (5)."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from c_references import run_sampler
from cases import CASES, NILE, Case
from datasets import Rows
from efficiency import TOLERANCE, Moments, bulk_ess, min_ess, moments, pool, worst_gap
from generated import Sampler, choose_draws, make_sampler, time_sweep
from peers import Peer, Session
from report import Table
from settings import COUNT_DATASETS, Settings

C_NAME, OWN_NAME = "C", "generated"
Turn = Callable[[int], tuple[np.ndarray, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What was found for a model and data: effective draws by second, and gaps to C's means in errors, by name."""

    key: str
    data: str
    per_second: dict[str, float]
    gaps: dict[str, float]

    @property
    def best_peer(self) -> str | None:
        """The fastest that is neither C nor generated."""
        names = [name for name in self.per_second if name not in (C_NAME, OWN_NAME)]
        return max(names, key=self.per_second.__getitem__, default=None)


def run_contests(settings: Settings, peers: list[Peer]) -> list[Contest]:
    """Every model on every data set that is asked for."""
    found = []
    for key in [key for key in settings.models if key != "T"]:
        for name in settings.datasets:
            if key == "G6" and name not in COUNT_DATASETS:
                continue
            contest = _run_contest(settings, CASES[key], CASES[key].load(name), peers)
            shown = ", ".join(f"{who} {value:.3g}" for who, value in contest.per_second.items())
            print(f"  ESS/s {key} {name}: {shown}", flush=True)
            found.append(contest)
    return found


def _run_contest(settings: Settings, case: Case, rows: Rows, peers: list[Peer]) -> Contest:
    """Let all take turns; a peer that fails is left out of this contest."""
    turns: dict[str, Turn] = {
        C_NAME: lambda seed: _run_c(settings, case, rows, seed),
        OWN_NAME: _own_turn(settings, case, rows),
    }
    sessions = _open_sessions(settings, case, rows, peers)
    turns |= {session.peer.name: session.sample for session in sessions}
    rates: dict[str, list[float]] = {name: [] for name in turns}
    found: dict[str, list[Moments]] = {name: [] for name in turns}
    for seed in range(1, (1 if settings.quick else 3) + 1):
        for name, turn in turns.items():
            draws, seconds = turn(seed)
            rates[name].append(min_ess(draws) / max(seconds, 1e-9))
            found[name].append(moments(draws))
    for session in sessions:
        session.close()
    pooled = {name: pool(runs) for name, runs in found.items()}
    return Contest(
        key=case.key, data=rows.name, per_second={name: statistics.median(r) for name, r in rates.items()},
        gaps={name: worst_gap(pooled[C_NAME], pooled[name]) for name in turns if name != C_NAME},
    )  # fmt: skip


def _open_sessions(settings: Settings, case: Case, rows: Rows, peers: list[Peer]) -> list[Session]:
    sessions = []
    for peer in peers:
        if settings.quick and peer.program != "jags" and peer.centred == (rows.name == "weak"):
            continue
        try:
            sessions.append(Session(peer, case, rows, settings.peer_effort(peer.program)))
        except RuntimeError as error:
            print(f"  left out: {error}", flush=True)
    return sessions


def _run_c(settings: Settings, case: Case, rows: Rows, seed: int) -> tuple[np.ndarray, float]:
    """Draws (chains, draws, k) of chains one after another, and their seconds."""
    effort = settings.own_effort
    runs = [
        run_sampler(
            settings.build, case, rows, draws=effort.draws, warmup=effort.warmup, seed=100 * seed + chain
        )
        for chain in range(effort.chains)
    ]
    draws = np.stack([run.draws[:, : len(case.parameters)] for run in runs])
    return draws, effort.draws * sum(run.seconds_per_sweep for run in runs)


def _own_turn(settings: Settings, case: Case, rows: Rows) -> Turn:
    """Chains side by side, or as the backend has them."""
    sampler = make_sampler(case, rows, settings, settings.blocks)
    effort = settings.own_effort
    sampler.run(draws=1, warmup=1, chains=effort.chains, seed=0)

    def turn(seed: int) -> tuple[np.ndarray, float]:
        found, seconds = sampler.run(**asdict(effort), seed=seed)
        return case.top_level(found), seconds * effort.draws

    return turn


def table_of_peers(contests: list[Contest]) -> Table:
    """Least bulk effective sample size of the top-level parameters by second, against the best peer."""
    rows = []
    for contest in contests:
        rate, best = contest.per_second, contest.best_peer
        peer = rate[best] if best else None
        ratios = (rate[OWN_NAME] / peer, rate[C_NAME] / peer) if peer else (None, None)
        rows.append((contest.key, contest.data, rate[C_NAME], rate[OWN_NAME], best or "–", peer, *ratios))
    columns = ("model", "data", "C", "generated", "best peer", "its rate", "generated ÷ it", "C ÷ it")
    return Table(
        number=2, title="Least ESS by second of sampling ÷ the best peer's", columns=columns, rows=tuple(rows),
        note="After warm-up; ESS is bulk, at most the draws, the least over top-level parameters.",
    )  # fmt: skip


def table_of_jags(contests: list[Contest]) -> Table:
    """C against JAGS, which shows that the C is no straw man."""
    rows = tuple(
        (
            c.key,
            c.data,
            c.per_second[C_NAME],
            c.per_second["JAGS"],
            c.per_second[C_NAME] / c.per_second["JAGS"],
        )
        for c in contests
        if "JAGS" in c.per_second
    )
    columns = ("model", "data", "C, ESS/s", "JAGS, ESS/s", "ratio")
    return Table(number=3, title="C ÷ JAGS, ESS by second", columns=columns, rows=rows)


def list_disagreements(contests: list[Contest]) -> list[str]:
    """Posterior means further from C's than the tolerance."""
    return [
        f"{contest.key} on {contest.data}: {name} is {gap:.1f} standard errors from C"
        for contest in contests
        for name, gap in contest.gaps.items()
        if not gap <= TOLERANCE
    ]


def table_of_mixing(settings: Settings) -> Table:
    """Least ESS by sweep where effects are weakly identified, and the cost of a sweep against the default's."""
    rows = []
    for key in [key for key in ("A", "C", "G5") if key in settings.models]:
        case, data = CASES[key], CASES[key].load("weak")
        reference, _ = _run_c(settings, case, data, 7)
        plain, better = (make_sampler(case, data, settings, blocks) for blocks in ("off", settings.blocks))
        ess = [_ess_by_sweep(settings, case, sampler) for sampler in (plain, better)]
        cost = _cost_ratio(settings, plain, better)
        rows.append((key, min_ess(reference) / np.prod(reference.shape[:2]), *ess, cost))
    columns = (
        "model",
        "C, centred",
        "generated, centred",
        f"generated, blocks {settings.blocks}",
        "cost ÷ centred",
    )
    return Table(number=4, title="Least ESS by sweep on weak", columns=columns, rows=tuple(rows))


def _ess_by_sweep(settings: Settings, case: Case, sampler: Sampler) -> float:
    effort = settings.own_effort
    draws = effort.draws
    found, _ = sampler.run(draws=draws, warmup=effort.warmup, chains=effort.chains, seed=3)
    return min_ess(case.top_level(found)) / (draws * effort.chains)


def _cost_ratio(settings: Settings, plain: Sampler, better: Sampler) -> float:
    draws = choose_draws(plain, settings.budget, 100_000)
    pairs = [(time_sweep(better, draws, k), time_sweep(plain, draws, k)) for k in range(settings.repeats)]
    return statistics.median(a / b for a, b in pairs)


def table_of_nile(settings: Settings) -> tuple[Table, list[str]]:
    """ESS by sweep of variances and of the median state of the local level, and what disagrees with C."""
    rows, effort = NILE.load("nile"), settings.own_effort
    sampler = make_sampler(NILE, rows, settings, settings.blocks)
    found, _ = sampler.run(draws=effort.draws, warmup=effort.warmup, chains=effort.chains, seed=5)
    runs = [
        run_sampler(settings.build, NILE, rows, draws=effort.draws, warmup=effort.warmup, seed=seed).draws
        for seed in range(effort.chains)
    ]
    reference = np.stack(runs)
    own, total = NILE.top_level(found), effort.draws * effort.chains
    lines = []
    for name, top, states in ((C_NAME, reference[..., 1:3], reference[..., 3:]), (OWN_NAME, own, found["z"])):
        sizes = [*bulk_ess(top), float(np.median(bulk_ess(states)))]
        lines.append((name, *[min(size / total, 1.0) for size in sizes]))
    gap = worst_gap(moments(reference[..., 1:3]), moments(own))
    failures = [f"Nile: {OWN_NAME} is {gap:.1f} standard errors from C"] if gap > TOLERANCE else []
    columns = ("sampler", "sigma2_y", "sigma2_z", "median state")
    return Table(
        number=5, title="Nile, local level: ESS by sweep", columns=columns, rows=tuple(lines)
    ), failures
