"""The port between the losses and the boosters: what crosses it, and nothing of any booster."""
