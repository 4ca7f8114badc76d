"""Exercises of Section 5, Result."""
