"""Training: configuration, loop, checkpoints, log."""
