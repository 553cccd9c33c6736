"""The physical truth: caliper, tyre, vehicle, environment. Knows no ECU."""
