"""Exercises of Section 3.1, CPU-friendly Training."""
