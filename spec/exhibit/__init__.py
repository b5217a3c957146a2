"""Published statements that fail when read literally; never lemmas, never evidence."""
