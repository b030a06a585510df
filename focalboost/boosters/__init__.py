"""The port between the losses and the boosters: code for all boosters, and of none."""
