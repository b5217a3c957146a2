"""The machinery of the specification: lemmas, comparisons, oracles, the registry and the ledger."""
