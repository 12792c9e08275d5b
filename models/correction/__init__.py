"""The correction: a target-aware reward for the best leaves, from the pairs it reads to what a bundle holds of it."""
