"""Settings for all tests."""

import hypothesis

# The first call of a kernel loads its compiled code: time says nothing about the test.
hypothesis.settings.register_profile("a3c_tut", deadline=None)
hypothesis.settings.load_profile("a3c_tut")
