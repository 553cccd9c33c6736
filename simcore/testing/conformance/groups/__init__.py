"""Where cases come from: one module per group, each with `cases(interface) -> list[Case]`."""
