"""Sub-commands of the console script, each in the file of its name or its group; imports wait until one runs."""
