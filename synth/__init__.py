"""The generator: one clip of one subject, one motion and one camera, under any number of lights."""
