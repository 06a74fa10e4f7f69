"""Session descriptions and offer/answer. See README.md."""
