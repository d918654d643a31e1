"""Composition: where the project is, what its settings are, which parts it is made of."""
