"""The conformance kit: judges a module in the place of a node against database and requirements."""
