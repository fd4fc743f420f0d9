"""The whole way, once, on real retail data: `make demo`."""
