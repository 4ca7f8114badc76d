"""Exercises of Section 2.1, Multi-worker Objective."""
