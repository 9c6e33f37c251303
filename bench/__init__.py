"""Measurements of how fast the sums are kept up; `docs/speed.md` says what the figures mean."""
