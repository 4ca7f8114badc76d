"""These tests need Ray: `make test-ray` installs it into an environment of its own."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["test_ray.py"]
