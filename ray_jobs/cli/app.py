"""``pixelcube app``: the relighter as a page in a browser on this machine."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import tyro


@dataclasses.dataclass(frozen=True)
class App:
    """Open the relighter as a page in this machine's browser: footage in, a light to choose and turn, result out.

    It listens on 127.0.0.1 alone. Files are in a temporary folder that is removed when it ends (Ctrl-C).
    Needs gradio: pip install 'pixelcube[app]'"""

    model: Annotated[str, tyro.conf.arg(metavar="NAME|FOLDER")] = "small"
    """Name of a model that ships, folder of PortraitRelightPipeline.save_pretrained, or hub id."""
    port: int = 7860
    """Where it listens; 0 takes a free port."""
    share: Literal["never"] = "never"
    """Whether others may use it: never."""

    def execute(self) -> int:
        """Exit status."""
        from relight.app.app import serve

        return serve(self.model, self.port)
