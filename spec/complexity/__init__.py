"""What the published mechanism stores and reads, counted: claimed exponents against measured ones."""
