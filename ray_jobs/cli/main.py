"""The ``pixelcube`` command: what each sub-command takes. Their work is imported only when one is run."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from assets.errors import SpecError
from ray_jobs.oneline import guarded

_DESCRIPTION = """Relights portrait video, and renders the data to learn it from: one face, motion and camera under any
light.

First steps: 'pixelcube doctor' says what this machine can do, 'pixelcube relight me.mp4 --hdri city' relights a video,
'pixelcube render ray_jobs/jobs/demo.yaml' renders a small dataset, 'pixelcube inspect out/demo' shows it.
Any command takes --help, and --debug for an error's traceback."""

Text = Annotated[str | None, tyro.conf.arg(metavar="TEXT")]


@dataclasses.dataclass(frozen=True)
class Doctor:
    """Say what this machine can render with, and what would make it faster.

    Each renderer variant is started for real, in a process of its own. Ends with 0 if anything can be rendered."""

    json: bool = False
    """Print one JSON object instead of tables."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import doctor

        return doctor.main(self.json)


@dataclasses.dataclass(frozen=True)
class Render:
    """Render the dataset that a job file describes, through Ray on this machine or on a cluster; then inspect it.

    Running it again does nothing twice: finished clips are kept, missing ones are rendered."""


@dataclasses.dataclass(frozen=True)
class Inspect:
    """Show a dataset: a table of its clips, a contact sheet (inspect/index.html) and a video per clip (inspect/*.mp4).

    Pictures go through the clip's own exposure and the sRGB curve; none is brightened on its own."""

    dataset: Annotated[str, tyro.conf.arg(metavar="DATASET"), tyro.conf.Positional]
    """Dataset folder or fsspec URL."""
    clip: Text = None
    """Only the clip whose id starts with this."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Where to write; 'inspect' inside a local dataset if not given."""
    video: bool = True
    """Write a video per clip."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import inspect

        return inspect.main(self.dataset, self.clip, self.output, self.video)


@dataclasses.dataclass(frozen=True)
class Validate:
    """Read every byte of a dataset and compare it with its index: sizes, hashes, channels, values.

    Ends with 1 and the list of problems if there is any."""

    dataset: Annotated[str, tyro.conf.arg(metavar="DATASET"), tyro.conf.Positional]
    """Dataset folder or fsspec URL."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import validate

        return validate.main(self.dataset)


@dataclasses.dataclass(frozen=True)
class Export:
    """Write one moment of a job's clip as a .blend file for an artist: head, hair, materials, camera and light.

    Images are packed in it. The clip need not have been rendered, nor be one of Cycles.
    Example: pixelcube export ray_jobs/jobs/demo.yaml --clip 2 --output out/two.blend"""

    job: Annotated[Path, tyro.conf.arg(metavar="JOB.yaml"), tyro.conf.Positional]
    """Job file in YAML; those of a dataset are in its folder jobs."""
    clip: Annotated[str, tyro.conf.arg(metavar="CLIP")] = "0"
    """Number of the clip in its job, or the start of its id (four letters or more)."""
    frame: int = 0
    """Which frame of the clip."""
    lighting: int = 0
    """Which of its lightings."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE.blend")] = Path("out/clip.blend")
    """Where the file is written."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import export

        return export.main(self.job, self.clip, self.frame, self.lighting, self.output)


@dataclasses.dataclass(frozen=True)
class AssetsList:
    """List the lightings that can be used offline, each with its id, licence and split."""

    source: Text = None
    """Only this source: bundled, procedural, polyhaven, or a folder of maps."""
    split: Literal["train", "val", "test"] | None = None
    """Only this split. HDRIs are split by map, never by rotation."""
    search: Text = None
    """Only maps with these words in their id, title or tags."""
    limit: int = 20
    """Rows to print; 0 for all."""
    json: bool = False
    """Print every match as one JSON object a line instead of tables."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import assets

        return assets.list_lightings(self.source, self.split, self.search, self.limit, self.json)


@dataclasses.dataclass(frozen=True)
class AssetsFetch:
    """Download CC0 data into the offline cache: environment maps from Poly Haven, or MakeHuman's heads.

    Takes up where it stopped. Examples: pixelcube assets fetch --count 20 --category outdoor;
    pixelcube assets fetch makehuman"""

    slugs: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]"), tyro.conf.Positional] = ()
    """Names of maps, for example kloofendal_43d_clear; or makehuman."""
    origin: Annotated[str | None, tyro.conf.arg(name="from", metavar="FILE|FOLDER|URL")] = None
    """With makehuman: an archive, a folder such as a MakeHuman installation, or an address, instead of its own site."""
    count: int = 0
    """Take this many of the catalogue that are not here yet."""
    category: Text = None
    """Only maps of this Poly Haven category, for example outdoor, indoor, studio or night."""
    resolution: Literal["1k", "2k", "4k"] = "1k"
    """Size of the maps; 1k is 1024x512."""
    api: Annotated[str, tyro.conf.arg(metavar="URL")] = "https://api.polyhaven.com"
    """Address of the catalogue."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import assets

        if self.slugs == ("makehuman",):
            return assets.fetch_heads(self.origin)
        if self.origin is not None:
            raise SpecError(f"assets fetch: --from {self.origin}: only 'assets fetch makehuman' takes it")
        return assets.fetch(self.slugs, self.count, self.category, self.resolution, self.api)


@dataclasses.dataclass(frozen=True)
class AssetsVerify:
    """Check files that came from elsewhere: environment maps, MakeHuman's data, FLAME and SMPL-X models.

    Ends with 1 and the list of problems if there is any. Examples: pixelcube assets verify my_maps;
    pixelcube assets verify flame FLAME_NEUTRAL.pkl"""

    what: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[{hdri,makehuman,flame,smplx}] [PATH]"),
                    tyro.conf.Positional] = ()
    """What it is (hdri if not given) and where: a folder of .hdr, .exr and .npy maps, MakeHuman's data folder, a FLAME
    or SMPL-X model or its folder. Of maps and of MakeHuman's data those in the offline cache, if no path is given."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli import assets

        return assets.verify(self.what)


@dataclasses.dataclass(frozen=True)
class Assets:
    """List and fetch what scenes are made of, and check it: environment maps, models of heads."""

    action: tyro.conf.OmitSubcommandPrefixes[
        Annotated[AssetsList, tyro.conf.subcommand("list")]
        | Annotated[AssetsFetch, tyro.conf.subcommand("fetch")]
        | Annotated[AssetsVerify, tyro.conf.subcommand("verify")]
    ]

    def execute(self) -> int:
        """Exit status."""
        return self.action.execute()


@dataclasses.dataclass(frozen=True)
class Heads:
    """Look at a family of heads: random people, every expression unit at full strength, or a performance as a strip.

    Example: pixelcube heads makehuman --show views --count 4 --clay"""


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a stage of the relighter as a configuration says; run it again to go on from its last checkpoint."""


@dataclasses.dataclass(frozen=True)
class Relight:
    """Relight a portrait: a video of any length and size, an image, or a folder of images."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Judge a relighter on clips whose people and light it never saw, beside doing nothing and a colour transfer."""


@dataclasses.dataclass(frozen=True)
class Showcase:
    """Relight clips of a dataset as one relights footage, and show source, result and truth side by side."""


@dataclasses.dataclass(frozen=True)
class App:
    """Open the relighter as a page in this machine's browser: footage in, a light to choose and turn, result out."""


def _commands(arguments: Sequence[str]) -> type:
    """Every command. The imports that the options of some need don't delay the others' help."""
    described = {kind.__name__.lower(): kind for kind in (Render, Relight, Evaluate, Showcase, App, Train,
                                                               Heads)}
    chosen = arguments[0] if arguments else ""
    if chosen in described:
        described[chosen] = getattr(importlib.import_module(f"ray_jobs.cli.{chosen}"), described[chosen].__name__)
    render, relight, evaluate, showcase, app, train, heads = described.values()
    return (Doctor | relight | app | render | Inspect | Validate | train | evaluate | showcase | heads | Export
            | Assets)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 all is well, 1 problems were found, 2 an error, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]

    def run() -> int:
        commands, shown = _commands(arguments), arguments or ["--help"]
        return tyro.cli(commands, prog="pixelcube", description=_DESCRIPTION, args=shown).execute()

    resumed = "; the same command goes on where it stopped" if arguments[:1] == ["relight"] else ""
    return guarded("pixelcube", run, debug, interrupted=f"interrupted{resumed}")


if __name__ == "__main__":
    sys.exit(main())
