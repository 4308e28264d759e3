"""The settings of each section: default, unit, source, which values each may have and what uses it, at once."""
