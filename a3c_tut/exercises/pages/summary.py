"""Exercises of Section 6, Summary."""
