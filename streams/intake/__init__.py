"""From the input topics to the facts topic: decode, validate, locate, route."""
