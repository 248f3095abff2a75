"""The upstreams people sign in to, as declarations."""
