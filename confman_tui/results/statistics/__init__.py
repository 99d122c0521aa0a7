"""Figures that are computed of results: how repeated runs spread, where a curve bends. Pure arithmetic."""
