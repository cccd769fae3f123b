"""A seeded storm of waits against servers that fail: `python -m tests.chaos`."""
