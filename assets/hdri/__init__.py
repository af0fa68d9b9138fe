"""HDRI libraries: maps that ship with Blender's wheel, any folder, and Poly Haven; each with licence and digest."""

from assets.hdri.bundled import bundled_entries
from assets.hdri.entry import HdriEntry, read_entry
from assets.hdri.folder import folder_entries
from assets.hdri.polyhaven import PolyHavenAsset, PolyHavenClient, polyhaven_entries
from assets.hdri.verify import verify

__all__ = [
    "HdriEntry",
    "PolyHavenAsset",
    "PolyHavenClient",
    "bundled_entries",
    "folder_entries",
    "polyhaven_entries",
    "read_entry",
    "verify",
]
