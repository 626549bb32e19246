"""Read-only page over a published copy."""
