"""From kernel error, noise and sensitivity to the error and privacy of attention."""
