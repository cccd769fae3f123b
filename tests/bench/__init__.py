"""How fast twbuild is beside the usual ways: `python -m tests.bench`. Only the standard library."""
