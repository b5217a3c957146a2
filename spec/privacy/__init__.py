"""What (epsilon, delta)-differential privacy means and how guarantees combine."""
