"""What only the book's pages, their tests and the benchmarks import.

The claims and what they are measured with, the exercises, and the Python behind the live elements.
"""
