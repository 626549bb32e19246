"""Legs of the test, a module or two each; ``registry`` lists them."""
