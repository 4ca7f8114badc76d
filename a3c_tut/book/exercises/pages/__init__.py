"""The exercises, a module for each page of the book that has some."""
