"""All queries at once: nets, Lipschitz constants, and accuracy that holds for every adaptive query."""
