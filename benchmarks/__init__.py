"""Figures that a claim rests on, measured. `make bench` runs all of them."""
