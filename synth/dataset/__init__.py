"""The master dataset: one tar member a frame, one Parquet row a clip, any image by byte range."""
