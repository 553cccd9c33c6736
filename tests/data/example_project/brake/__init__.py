"""The supplier's product."""
