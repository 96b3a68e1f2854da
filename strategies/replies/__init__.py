"""From the bytes that clients send to checked arrays and reported numbers."""
