"""The Gaussian sampling mechanism for private attention matrices: its exact privacy and accuracy."""
