"""Small linear algebra, written out component by component."""

from __future__ import annotations

from deriver.emission.compiled.body import Body
from deriver.emission.text import Text, atom, call, join_product, join_sum

Matrix = list[list[Text]]


def minus_products(first: Text, products: list[tuple[Text, Text]]) -> Text:
    """Return first - a b - c d - ..."""
    return join_sum([(False, first), *((True, join_product([a, b], [])) for a, b in products)])


def sum_products(products: list[tuple[Text, Text]]) -> Text:
    """Return a b + c d + ..., products with 0 left out."""
    counts: dict[tuple[str, ...], list[tuple[Text, Text]]] = {}
    for pair in products:
        if "0" not in (pair[0].text, pair[1].text):
            counts.setdefault(tuple(sorted(text.text for text in pair)), []).append(pair)
    terms = [(False, _repeated(_times(*pairs[0]), len(pairs))) for pairs in counts.values()]
    return join_sum(terms) if terms else atom("0.0")


def _repeated(text: Text, times: int) -> Text:
    return text if times == 1 else join_product([atom(str(times)), text], [])


def _times(left: Text, right: Text) -> Text:
    if left.text == "1":
        return right
    return left if right.text == "1" else join_product([left, right], [])


def named(body: Body, name: str, text: Text) -> Text:
    """Write ``name = text`` and return the name."""
    own = body.fresh(name)
    body.assign(own, text)
    return atom(own)


def write_cholesky(body: Body, matrix: Matrix, name: str = "L") -> Matrix:
    """Write the lower Cholesky factor; ``matrix`` needs its lower triangle only."""
    size = len(matrix)
    lower: Matrix = [[atom("0") for _ in range(size)] for _ in range(size)]
    for a in range(size):
        for b in range(a + 1):
            pairs = [(lower[a][c], lower[b][c]) for c in range(b)]
            inside = minus_products(matrix[a][b], pairs)
            text = call("math.sqrt", inside.text) if a == b else join_product([inside], [lower[b][b]])
            lower[a][b] = named(body, f"{name}_{a}{b}", text)
    return lower


def write_forward(body: Body, lower: Matrix, right: list[Text], name: str = "h") -> list[Text]:
    """Write the solution of L h = right."""
    found: list[Text] = []
    for a, entry in enumerate(right):
        pairs = [(lower[a][c], found[c]) for c in range(a)]
        found.append(named(body, f"{name}_{a}", join_product([minus_products(entry, pairs)], [lower[a][a]])))
    return found


def back_solution(body: Body, lower: Matrix, right: list[Text], names: list[str]) -> None:
    """Write the solution of L'v = right into ``names``, the last first."""
    size = len(right)
    found: dict[int, Text] = {}
    for a in reversed(range(size)):
        pairs = [(lower[c][a], found[c]) for c in range(a + 1, size)]
        body.assign(names[a], join_product([minus_products(right[a], pairs)], [lower[a][a]]))
        found[a] = atom(names[a])


def write_inverse(body: Body, matrix: Matrix, name: str) -> Matrix:
    """Write the inverse of a symmetric positive definite matrix."""
    size = len(matrix)
    if size == 1:
        return [[named(body, f"{name}_00", join_product([], [matrix[0][0]]))]]
    if size == 2:
        return _invert_two(body, matrix, name)
    lower = write_cholesky(body, matrix, "L")
    root = _invert_lower(body, lower)
    inverse: Matrix = [[atom("0") for _ in range(size)] for _ in range(size)]
    for a in range(size):
        for b in range(a + 1):
            pairs = [(root[c][a], root[c][b]) for c in range(a, size)]
            inverse[a][b] = inverse[b][a] = named(body, f"{name}_{a}{b}", sum_products(pairs))
    return inverse


def _invert_two(body: Body, matrix: Matrix, name: str) -> Matrix:
    (a, _), (b, c) = matrix
    determinant = named(body, "det", minus_products(join_product([a, c], []), [(b, b)]))
    first = named(body, f"{name}_00", join_product([c], [determinant]))
    off = named(body, f"{name}_10", join_sum([(True, join_product([b], [determinant]))]))
    last = named(body, f"{name}_11", join_product([a], [determinant]))
    return [[first, off], [off, last]]


def _invert_lower(body: Body, lower: Matrix) -> Matrix:
    """Write the inverse of a lower triangular matrix."""
    size = len(lower)
    root: Matrix = [[atom("0") for _ in range(size)] for _ in range(size)]
    for b in range(size):
        root[b][b] = named(body, f"M_{b}{b}", join_product([], [lower[b][b]]))
        for a in range(b + 1, size):
            total = sum_products([(lower[a][c], root[c][b]) for c in range(b, a)])
            text = join_sum([(True, join_product([total], [lower[a][a]]))])
            root[a][b] = named(body, f"M_{a}{b}", text)
    return root


def log_det_text(lower: Matrix) -> Text:
    """Return log det of the matrix whose Cholesky factor this is."""
    diagonal = [lower[a][a] for a in range(len(lower))]
    return join_product([atom("2"), call("math.log", join_product(diagonal, []).text)], [])
