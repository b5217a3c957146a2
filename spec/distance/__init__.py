"""From weighted inner products to weighted distances."""
