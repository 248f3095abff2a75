"""What the simulators have in common: faults, statistics, pages, OAuth's small parts, a program.

None of it knows whom a simulator stands for. Each simulator says that by what it passes in.
"""
