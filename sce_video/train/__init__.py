"""Training loop, optimiser steps, schedules and resuming."""
