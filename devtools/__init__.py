"""What developers run: never deployed, also used by tests and benchmarks."""
