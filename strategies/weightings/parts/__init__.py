"""What several weightings are made of; each weighting itself is one file of the folder above."""
