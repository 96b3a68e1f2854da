"""How far robust means are from the honest clients' mean: ours and those of other projects."""
