"""The polynomial approximation of the exponential kernel."""
