"""The referee: every defence judged by the worst that an attacker who searches finds against it."""
