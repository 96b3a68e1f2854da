"""Where clients run: under Ray, in this process, or on SuperNodes of this machine."""
