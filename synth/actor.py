"""A person in skin and hair: geometry, materials and strands from one identity and one appearance."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from assets.errors import SpecError
from synth.appearance.cloth import paint_cloth
from synth.appearance.description import Appearance
from synth.appearance.eyes import paint_eyes
from synth.appearance.face import face_mask
from synth.appearance.living import Life
from synth.appearance.mouth import paint_mouth
from synth.appearance.relief import make_relief
from synth.appearance.skin import paint_skin
from synth.appearance.worn import paint_worn
from synth.hair.beard import BEARDS
from synth.hair.face import grow_beard, grow_brows, grow_lashes
from synth.hair.pigment import fibres, split_grey
from synth.hair.scalp import grow_scalp
from synth.hair.styles import STYLES
from synth.heads.head import HeadModel, Identity, Person
from synth.heads.worn.covers import COVERS, make_cover
from synth.heads.worn.glasses import GLASSES, make_glasses
from synth.heads.worn.tuck import tuck
from synth.motion.performance import Performance, neutral
from synth.scene import AnyMaterial, Strands, Subject

STRANDS = 40_000
"""Hairs of a full head; a beard adds up to a third. Real heads have some 110,000, finer ones."""


@dataclasses.dataclass(frozen=True, eq=False)
class Actor:
    """One person, dressed, painted and ready to perform."""

    person: Person
    """Geometry."""
    appearance: Appearance
    """What was realised."""
    materials: Mapping[str, AnyMaterial]
    """By the names that parts and strands ask for."""
    strands: tuple[Strands, ...]
    """Scalp hair, brows, lashes, beard."""
    life: Life
    """How the skin changes over a performance."""

    @functools.cached_property
    def skin_tone(self) -> np.ndarray:
        """(3,) float32 mean reflectance of the face's skin, linear Rec.709: cheeks, forehead, nose and chin."""
        albedo = self.life.rest.albedo
        return albedo[face_mask(self.person.head, len(albedo))].mean(axis=0)

    def perform(self, performance: Performance | None = None) -> Subject:
        """The person performing; one frame at rest if nothing is given."""
        performance = performance or neutral(1, 24.0)
        head = self.person.head
        return Subject(self.person.parts, self.materials, self.person.animate(performance), head.licence,
                       head.source_hash, self.strands, {"skin": self.life.perform(performance)})


def cast(head: HeadModel, identity: Identity, appearance: Appearance, *, subdivision: int = 0, texels: int = 1024,
         strands: int = STRANDS) -> Actor:
    """Realise an appearance on an identity.

    texels: a side of the skin's maps. strands: how many hairs in all; 0 grows none and paints brows, lashes' roots and
    scalp onto the skin instead.
    """
    _check(head, appearance)
    bare = head.person(identity)
    worn = []
    if appearance.worn.cover is not None:
        worn.append(make_cover(bare, appearance.worn.cover))
    if appearance.worn.glasses is not None:
        worn.append(make_glasses(bare, appearance.worn.glasses))
    person = head.person(identity, subdivision, tuple(worn)) if worn or subdivision else bare
    hair = grow_all(bare, appearance, strands)
    skin = paint_skin(head, appearance, texels, painted_hair=strands == 0)
    relief = make_relief(head, appearance, texels)
    life = Life(head, appearance, skin, relief)
    rng = np.random.default_rng(appearance.worn.seed)
    materials = {
        "skin": life.rest, **paint_eyes(appearance.eyes, texels // 2), **paint_mouth(appearance.mouth, texels // 2),
        "garment": paint_cloth(rng, appearance.worn.dye), **paint_worn(rng, appearance.worn), **fibres(appearance.hair),
    }
    used = {part.material for part in person.parts} | {group.material for group in hair}
    return Actor(person, appearance, {name: materials[name] for name in sorted(used)}, hair, life)


def _check(head: HeadModel, appearance: Appearance) -> None:
    """Refuse names that nothing answers to."""
    hair, worn = appearance.hair, appearance.worn
    for field, name, known in (
        ("hair.style", hair.style, ("bald", *STYLES, *head.hairstyles)),
        ("hair.beard", hair.beard, ("none", "shaved", *BEARDS)),
        ("worn.glasses", worn.glasses, (None, *GLASSES)), ("worn.cover", worn.cover, (None, *COVERS)),
    ):
        if name not in known:
            raise SpecError(f"{field}: {name!r} is not one of {', '.join(str(one) for one in known)}")


def grow_all(person: Person, appearance: Appearance, count: int) -> tuple[Strands, ...]:
    """Every strand of a person at rest, pigmented and grey ones apart."""
    if count == 0:
        return ()
    groups = (*grow_scalp(person, appearance, count), *grow_beard(person, appearance, count))
    if appearance.worn.cover is not None:
        groups = tuck(person, appearance.worn.cover, groups)
    groups = (*groups, *grow_brows(person, appearance), *grow_lashes(person, appearance))
    return split_grey(groups, appearance.hair, person.head.canonical)
