"""Pages of the documentation whose tables and figures are made by commands."""
