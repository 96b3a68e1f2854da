"""What the authors' code does differently from their paper, kept out of the library."""
