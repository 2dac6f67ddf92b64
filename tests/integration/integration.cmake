# The integration tests.
