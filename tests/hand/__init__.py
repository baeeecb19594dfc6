"""Full conditionals derived by hand, one module per model, independent of the package."""
