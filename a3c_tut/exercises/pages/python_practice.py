"""Exercises of Section 4, Python Practice."""
