"""A page on this machine's own loopback that relights footage by hand: gradio is imported here and nowhere else."""
