"""The settings of each section: default, unit, source, allowed values and what uses it."""
