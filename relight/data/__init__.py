"""Clips of the dataset as photographs of one performance under two lights."""
