"""What exists before a scene does: foreign files, read safely, with licence, checksum and split."""
