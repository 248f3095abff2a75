"""HTTP of the three functions."""
