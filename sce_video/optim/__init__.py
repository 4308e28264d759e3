"""How a step moves the weights: LARS, parameter groups, and the schedules of a run's scalars."""
