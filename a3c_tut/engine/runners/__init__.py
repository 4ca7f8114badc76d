"""Runners start, order, watch and stop workers, and do nothing else."""
