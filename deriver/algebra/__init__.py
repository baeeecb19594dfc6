"""SymPy heads for vectors, matrices and plates, their normal form and their numeric value."""
