"""The rules of the slip finder, one for each kind of edit."""

from __future__ import annotations

from deriver.checking.places import Rule
from deriver.checking.rules_of_content import (
    add_factor_symbol,
    add_term,
    change_index,
    change_sum,
    change_symbol,
    drop_term,
    transpose_piece,
)
from deriver.checking.rules_of_form import (
    change_sign,
    change_size,
    double_or_halve,
    invert_matrix,
    shift_exponent,
    square_or_root,
    turn_divisor,
    turn_number,
)

RULES: tuple[Rule, ...] = (
    invert_matrix, turn_number, turn_divisor, square_or_root, double_or_halve, change_sign, shift_exponent,
    change_size, transpose_piece, change_index, change_sum, change_symbol, add_term, drop_term, add_factor_symbol,
)  # fmt: skip
