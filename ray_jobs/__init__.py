"""Everything that says Ray, and the ``pixelcube`` command that stands on top of every room."""
