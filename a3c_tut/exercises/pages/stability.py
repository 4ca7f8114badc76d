"""Exercises of Section 2.3, Stability Considerations."""
