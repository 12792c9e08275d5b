"""What inference compute buys: widths against sizes at equal work, the PRM's own work and parameters counted."""
