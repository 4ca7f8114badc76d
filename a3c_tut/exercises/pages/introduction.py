"""Exercises of Section 1, Introduction."""
