"""The mutation score of the checker of hand derivations: right claims, wrong ones made from them, and a judge of both."""
