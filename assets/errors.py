"""Errors that a user can act on: one line that names the file or field, what it was and what it may be."""


class PixelCubeError(Exception):
    """Base of every error that the command line prints as one line (a traceback only with ``--debug``)."""


class AssetError(PixelCubeError):
    """A foreign file (image, model, archive, catalogue) is missing, broken or hostile."""


class SpecError(PixelCubeError):
    """A job or clip specification has a field that cannot be used."""


class DatasetError(PixelCubeError):
    """A dataset is incomplete, inconsistent or cannot be written."""


class RenderError(PixelCubeError):
    """A renderer cannot start, or gave something that is not an image."""
