"""What the programs of `tools/` do with their arguments: they parse them and call one function."""
