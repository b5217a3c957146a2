"""Truncated Laplace and Gaussian noise, and the integer tables that are sampled."""
