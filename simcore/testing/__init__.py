"""For tests: the pytest plugin. Strategies and the conformance kit will live here too."""
