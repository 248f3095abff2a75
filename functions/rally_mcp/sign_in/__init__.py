"""Use cases where this product is an OAuth client of an upstream."""
