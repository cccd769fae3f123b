"""Watching builds: what is decided without waiting, and the one place that waits."""
