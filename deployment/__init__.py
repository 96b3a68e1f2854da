"""Real federations: certificates and keys, and one on loopback that a single command starts."""
