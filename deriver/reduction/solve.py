"""Sums and least-squares fits from the moments of each group.

A fit minimises Σ w (y − Σ_k c_k b_k)².  Gaussian elimination of the moments in twice the working precision gives the
triangle R of the columns (R′R is their cross-product matrix), the coefficients in two parts and the residual sum of
squares, as ``least_squares`` of the emitted samplers does from the rows.  Where a column is one number throughout the
group, as that of an intercept is, the others are taken about the group's first row, and the coefficient of that column
takes up the shift: then nothing is lost however far from zero the rows lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from deriver.reduction.doubled import add, divide, multiply
from deriver.reduction.moments import Moments

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
ONE = -1  # stands for the number 1 in place of a feature
NEGLIGIBLE = 1e-24  # of a column's sum of squares: what is left is rounding, and the column depends on others


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The parts of a fit: ``fit`` and ``rest`` (groups, p), ``root`` (groups, p, p) upper triangular, ``rss`` (groups,)."""

    fit: np.ndarray
    rest: np.ndarray
    root: np.ndarray
    rss: np.ndarray


def solve_fit(moments: Moments, columns: Sequence[int], response: int) -> Fit:
    """Return the fit of a feature on features (``ONE`` is an intercept) in each group."""
    table = _pair_table(moments)
    groups, p = moments.groups, len(columns)
    fit, rest = np.empty((groups, p)), np.empty((groups, p))
    root, rss = np.zeros((groups, p, p)), np.empty(groups)
    chosen = np.array([*columns, response], dtype=np.int64)
    fit_groups(moments.records, table, chosen, fit, rest, root, rss)
    return Fit(fit=fit, rest=rest, root=root, rss=rss)


def sum_products(moments: Moments, one: int, two: int) -> np.ndarray:
    """Return Σ w f_one f_two of each group, (groups, 2): each sum in two parts."""
    found = np.empty((moments.groups, 2))
    raw_sums(moments.records, _pair_table(moments), one, two, found)
    return found


def pooled_moment(moments: Moments, feature: int) -> tuple[float, float]:
    """Return the variance of a feature over all rows (divided by their number) and its mean square."""
    pooled = moments.pooled()
    count = float(pooled.counts[0])
    square = sum_products(pooled, feature, feature)[0, 0]
    rss = solve_fit(pooled, (ONE,), feature).rss[0]
    return rss / count, square / count


def _pair_table(moments: Moments) -> np.ndarray:
    """Return where the product of two features stands in a record, (features, features)."""
    shape = moments.shape
    table = np.full((shape.features, shape.features), -1, dtype=np.int64)
    for n, (k, m) in enumerate(shape.pairs):
        table[k, m] = table[m, k] = 2 + 2 * shape.features + n
    return table


@compiled
def shifted(record: np.ndarray, table: np.ndarray, k: int, m: int) -> tuple[float, float]:
    """Return Σ w (f_k − a_k)(f_m − a_m); the number 1 is not shifted."""
    features = len(table)
    if k < 0 and m < 0:
        at = 1 + features
    elif k < 0 or m < 0:
        at = 2 + features + max(k, m)
    else:
        at = table[k, m]
    return record[at], record[at + (len(record) - 1 - features) // 2]


@compiled
def raw(record: np.ndarray, table: np.ndarray, k: int, m: int) -> tuple[float, float]:
    """Return Σ w f_k f_m."""
    high, low = shifted(record, table, k, m)
    first_k = record[1 + k] if k >= 0 else 0.0
    first_m = record[1 + m] if m >= 0 else 0.0
    if m >= 0:
        high, low = add(high, low, *multiply(first_m, 0.0, *shifted(record, table, k, -1)))
    if k >= 0:
        high, low = add(high, low, *multiply(first_k, 0.0, *shifted(record, table, -1, m)))
    if k >= 0 and m >= 0:
        both = multiply(first_k, 0.0, first_m, 0.0)
        high, low = add(high, low, *multiply(both[0], both[1], *shifted(record, table, -1, -1)))
    return high, low


@compiled
def raw_sums(records: np.ndarray, table: np.ndarray, one: int, two: int, found: np.ndarray) -> None:
    """Fill in Σ w f_one f_two of each group, in two parts."""
    for group in range(len(found)):
        found[group, 0], found[group, 1] = raw(records[group], table, one, two)


@compiled
def total_in_parts(parts: np.ndarray) -> float:
    """Return the sum of numbers in two parts, (groups, 2)."""
    high, low = 0.0, 0.0
    for group in range(len(parts)):
        high, low = add(high, low, parts[group, 0], parts[group, 1])
    return high + low


@compiled
def fit_groups(
    records: np.ndarray, table: np.ndarray, chosen: np.ndarray, fit: np.ndarray, rest: np.ndarray, root: np.ndarray,
    rss: np.ndarray,
) -> None:  # fmt: skip
    """Fill in the fit of each group; ``chosen`` are the columns, then the response."""
    p = len(chosen) - 1
    plain, about = np.empty((p + 1, p + 1, 2)), np.empty((p + 1, p + 1, 2))
    limits, answer = np.empty(p), np.empty((p, 2))
    for group in range(len(fit)):
        record = records[group]
        constant = find_constant(record, table, chosen)
        for k in range(p + 1):
            for m in range(p + 1):
                plain[k, m] = raw(record, table, chosen[k], chosen[m])
                one = -1 if k == constant else chosen[k]
                two = -1 if m == constant else chosen[m]
                about[k, m] = shifted(record, table, one, two)
        for k in range(p):
            limits[k] = NEGLIGIBLE * plain[k, k, 0]
        if constant >= 0:
            limits[constant] = 0.0
            rss[group] = eliminate(about, limits, constant)
            back_substitute(about, limits, constant, answer)
            shift_back(record, chosen, constant, answer)
            eliminate(plain, limits, -1)
        else:
            rss[group] = eliminate(plain, limits, -1)
            back_substitute(plain, limits, -1, answer)
        for k in range(p):
            fit[group, k], rest[group, k] = answer[k, 0], answer[k, 1]
            if plain[k, k, 0] > limits[k]:
                for m in range(k, p):
                    root[group, k, m] = plain[k, m, 0] / np.sqrt(plain[k, k, 0])


@compiled
def find_constant(record: np.ndarray, table: np.ndarray, chosen: np.ndarray) -> int:
    """Return the place of a column that is one number, not 0, in all rows of the group; -1 if there is none."""
    for k in range(len(chosen) - 1):
        feature = chosen[k]
        if feature < 0 or (record[1 + feature] != 0.0 and record[table[feature, feature]] == 0.0):
            return k
    return -1


@compiled
def in_turn(step: int, first: int) -> int:
    """Return the column of a step when one column goes first."""
    if first < 0 or step > first:
        return step
    return first if step == 0 else step - 1


@compiled
def eliminate(matrix: np.ndarray, limits: np.ndarray, first: int) -> float:
    """Eliminate the columns, ``first`` before the others; return what is left of the response's own square."""
    p = len(limits)
    for step in range(p):
        k = in_turn(step, first)
        if not matrix[k, k, 0] > limits[k]:
            continue
        for other in range(step + 1, p + 1):
            row = in_turn(other, first) if other < p else p
            part = divide(matrix[k, row, 0], matrix[k, row, 1], matrix[k, k, 0], matrix[k, k, 1])
            for another in range(other, p + 1):
                m = in_turn(another, first) if another < p else p
                take = multiply(part[0], part[1], matrix[k, m, 0], matrix[k, m, 1])
                matrix[row, m] = add(matrix[row, m, 0], matrix[row, m, 1], -take[0], -take[1])
    return max(matrix[p, p, 0], 0.0)


@compiled
def back_substitute(matrix: np.ndarray, limits: np.ndarray, first: int, answer: np.ndarray) -> None:
    """Fill in the coefficients in two parts; that of a column which depends on others is 0."""
    p = len(limits)
    for step in range(p - 1, -1, -1):
        k = in_turn(step, first)
        answer[k] = 0.0
        if not matrix[k, k, 0] > limits[k]:
            continue
        high, low = matrix[k, p, 0], matrix[k, p, 1]
        for later in range(step + 1, p):
            m = in_turn(later, first)
            take = multiply(matrix[k, m, 0], matrix[k, m, 1], answer[m, 0], answer[m, 1])
            high, low = add(high, low, -take[0], -take[1])
        answer[k] = divide(high, low, matrix[k, k, 0], matrix[k, k, 1])


@compiled
def shift_back(record: np.ndarray, chosen: np.ndarray, constant: int, answer: np.ndarray) -> None:
    """Make the intercept about the group's first row the coefficient of the column that is constant."""
    p = len(answer)
    high, low = add(answer[constant, 0], answer[constant, 1], record[1 + chosen[p]], 0.0)
    for k in range(p):
        if k != constant and chosen[k] >= 0:
            take = multiply(record[1 + chosen[k]], 0.0, answer[k, 0], answer[k, 1])
            high, low = add(high, low, -take[0], -take[1])
    value = record[1 + chosen[constant]] if chosen[constant] >= 0 else 1.0
    answer[constant] = divide(high, low, value, 0.0)
