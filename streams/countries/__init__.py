"""Files of another country, drafted from what its users have: boundaries or a list of P-codes."""
