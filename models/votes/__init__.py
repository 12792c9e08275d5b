"""Votes: bootstrap heads of the inner PRM, whose mean is the reward and whose deviation is how sure it is."""
