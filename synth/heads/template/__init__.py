"""The project's own head: sculpted in code, saved in FLAME's layout."""
