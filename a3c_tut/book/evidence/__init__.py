"""What the book's claims and numbered experiments are measured with: a module for each page."""
