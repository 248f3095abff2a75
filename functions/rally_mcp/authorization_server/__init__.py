"""Use cases where this product is an OAuth authorization server."""
