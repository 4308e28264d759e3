"""Optimisers (LARS), parameter groups and schedules."""
