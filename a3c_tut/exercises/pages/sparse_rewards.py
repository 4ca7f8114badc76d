"""Exercises of Section 3.2, Sparse Rewards."""
