"""How moments are written in each language, where no JavaScript says them in the reader's own way."""
