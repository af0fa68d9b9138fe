"""Open what people have: a video, an image or a folder of images."""

from __future__ import annotations

import os
from pathlib import Path

from assets.files import check_regular_file
from relight.footage import images, video
from relight.footage.footage import Footage


def open_footage(path: str | os.PathLike) -> Footage:
    """The pictures at ``path``; the content, not the suffix, says what it is.

    Video: any container that is one file and any codec that FFmpeg decodes; rotation is applied, variable frame rate
    kept, colours follow the tagged matrix and range. A file that is cut short gives the pictures before the damage and
    says so in ``damage``. Images: PNG, JPEG, TIFF, WebP, BMP, PPM; a folder's in natural order, all of one size.

    AssetError, one line: nothing there, no regular file, neither video nor image, no picture in it, pictures of several
    sizes, an absurd size or number of pictures, HDR video (PQ, HLG).
    """
    path = Path(path)
    if path.is_dir():
        return images.open_images(path)
    check_regular_file(path)
    return images.open_image(path) if images.is_image(path) else video.open_video(path)
