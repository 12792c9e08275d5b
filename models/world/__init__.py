"""A synthetic world of a million items: made, given semantic IDs, trained on and judged by one command."""
