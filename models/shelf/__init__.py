"""Every strategy of the shelf against guided search at equal compute."""
