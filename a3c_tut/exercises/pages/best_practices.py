"""Exercises of Section 3.4, Best Practices."""
