"""What a run leaves behind: its folder, written in one place and read in one place."""
