"""Sub-commands of the console script, a file per room; each imports what it needs when it runs."""
