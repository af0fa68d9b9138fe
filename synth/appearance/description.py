"""What one person looks like, as numbers: physical where there is a physics, the same for every renderer.

An appearance is drawn from its own seed stream, stored with the clip, and realised on a head by
:func:`synth.actor.cast`; the same description gives the same materials and strands to the bit.
"""

from __future__ import annotations

from typing import Literal

import pydantic


class _Look(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SkinLook(_Look):
    """Skin: two pigments and what is spread unevenly. Where nothing is said, 0 is none and 1 as much as is common."""

    melanin: float = pydantic.Field(0.08, ge=0.005, le=0.5)
    """Volume fraction of melanosomes in the epidermis: .01 very light, .1 tan, .4 very dark (Jacques 1998)."""
    haemoglobin: float = pydantic.Field(0.018, ge=0.003, le=0.2)
    """Volume fraction of blood in the dermis."""
    redness: float = pydantic.Field(0.8, ge=0, le=2)
    """More blood in cheeks, nose and ears."""
    lips: float = pydantic.Field(1.0, ge=0, le=2)
    """How much the lips' blood shows."""
    shadows: float = pydantic.Field(0.6, ge=0, le=2)
    """Darkness under and above the eyes."""
    veins: float = pydantic.Field(0.3, ge=0, le=1)
    """Visibility of veins at temples and neck, and of spider veins."""
    freckles: float = pydantic.Field(0.0, ge=0, le=1)
    """Number and strength of freckles."""
    moles: int = pydantic.Field(4, ge=0, le=60)
    """Number of moles on face and neck."""
    age_spots: float = pydantic.Field(0.0, ge=0, le=1)
    """Lentigines of old age."""
    blemishes: float = pydantic.Field(0.1, ge=0, le=1)
    """Pimples and marks."""
    mottling: float = pydantic.Field(0.5, ge=0, le=1)
    """Unevenness of both pigments."""
    oil: float = pydantic.Field(0.5, ge=0, le=1)
    """Sebum on forehead, nose and chin."""
    roughness: float = pydantic.Field(0.5, ge=0.3, le=0.7)
    """Disney roughness of the dry skin of the cheeks."""
    pores: float = pydantic.Field(0.5, ge=0, le=1)
    """Size and depth of pores and of the fine relief."""
    wrinkles: float = pydantic.Field(0.3, ge=0, le=1)
    """Depth of wrinkles at rest; expression deepens them."""
    flushing: float = pydantic.Field(0.5, ge=0, le=1)
    """How strongly blood follows expression and emotion."""
    seed: int = pydantic.Field(0, ge=0)
    """Where spots, pores and lines lie."""


class EyeLook(_Look):
    """Both eyes."""

    iris: Literal["blue", "grey", "green", "hazel", "amber", "brown", "dark_brown"] = "brown"
    """Family of the iris's colour."""
    tone: float = pydantic.Field(0.5, ge=0, le=1)
    """Lightness within the family."""
    pattern: Literal["fibres", "crypts", "furrows", "smooth"] = "fibres"
    """Family of the iris's texture."""
    pupil_mm: float = pydantic.Field(3.6, ge=1.5, le=8)
    """Diameter of the pupil, as it is seen through the cornea."""
    limbal_ring: float = pydantic.Field(0.6, ge=0, le=1)
    """Darkness of the ring around the iris."""
    sclera_yellow: float = pydantic.Field(0.2, ge=0, le=1)
    """Yellowing of the white."""
    veins: float = pydantic.Field(0.3, ge=0, le=1)
    """Redness of the white."""
    seed: int = pydantic.Field(0, ge=0)
    """Where fibres and veins lie."""


class MouthLook(_Look):
    """Teeth, gums and tongue."""

    yellow: float = pydantic.Field(0.4, ge=0, le=1)
    """From bleached to stained teeth."""
    gums: float = pydantic.Field(0.5, ge=0, le=1)
    """Redness of gums and tongue."""
    wet: float = pydantic.Field(0.7, ge=0, le=1)
    """Saliva on teeth, tongue and lips."""
    seed: int = pydantic.Field(0, ge=0)
    """Of the pattern."""


class HairLook(_Look):
    """Hair of scalp, brows, lashes and beard."""

    eumelanin: float = pydantic.Field(1.3, ge=0, le=12)
    """Brown-black pigment, see :class:`synth.scene.Fibre`."""
    pheomelanin: float = pydantic.Field(0.1, ge=0, le=3)
    """Red pigment."""
    grey: float = pydantic.Field(0.0, ge=0, le=1)
    """Share of hairs without pigment."""
    style: str = "short"
    """Style of the scalp's hair: ``bald``, one of :data:`synth.hair.styles.STYLES`, or one of the family's own."""
    length: float = pydantic.Field(1.0, ge=0.3, le=2)
    """Factor on the style's length."""
    curl: float = pydantic.Field(0.2, ge=0, le=1)
    """From straight to tightly coiled."""
    density: float = pydantic.Field(1.0, ge=0.2, le=1.5)
    """Factor on the number of hairs."""
    hairline: float = pydantic.Field(0.0, ge=-1, le=2)
    """Recession of the hairline, standard deviations; 2 is the horseshoe of male baldness."""
    brow_thickness: float = pydantic.Field(1.0, ge=0.5, le=2)
    """Height of the brows, 1 is average."""
    brow_density: float = pydantic.Field(1.0, ge=0.2, le=1.6)
    """Hairs in a brow, 1 is average."""
    lash_length: float = pydantic.Field(1.0, ge=0.4, le=1.6)
    """Of the lashes, 1 is average."""
    beard: str = "none"
    """``none``, ``shaved`` or one of :data:`synth.hair.beard.BEARDS`."""
    beard_length: float = pydantic.Field(1.0, ge=0.3, le=2)
    """Factor on the beard style's length."""
    beard_growth: float = pydantic.Field(0.0, ge=0, le=1)
    """Number and darkness of beard follicles, whatever is shaved; 0 is none."""
    seed: int = pydantic.Field(0, ge=0)
    """Where hairs stand."""


class WornLook(_Look):
    """What is worn."""

    dye: int = pydantic.Field(0, ge=0, le=99)
    """Colour of the garment: an index into :data:`synth.appearance.cloth.DYES`, modulo its length."""
    glasses: str | None = None
    """One of :data:`synth.heads.worn.glasses.GLASSES`."""
    cover: str | None = None
    """One of :data:`synth.heads.worn.covers.COVERS`: a cap, a scarf; hair under it is not grown."""
    seed: int = pydantic.Field(0, ge=0)
    """Of colours and cloth."""


class Appearance(_Look):
    """One person's skin, eyes, mouth, hair and what they wear."""

    skin: SkinLook = SkinLook()
    """Skin."""
    eyes: EyeLook = EyeLook()
    """Eyes."""
    mouth: MouthLook = MouthLook()
    """Mouth."""
    hair: HairLook = HairLook()
    """Hair."""
    worn: WornLook = WornLook()
    """Garment and occluders."""
