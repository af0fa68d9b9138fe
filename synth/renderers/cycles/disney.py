"""Disney's principled surface, as Mitsuba has it, in terms of Cycles' closures.

Import only where bpy is. Cycles' own principled node is another model: Lambertian below, dimmed by what the gloss
reflects. Here each of Disney's lobes (Burley 2012, 2015) is approached by closures that light can be sampled from.
"""

from __future__ import annotations

from synth.renderers.cycles.nodes import Nodes

COAT_LOBES = 3
"""GGX lobes that make up a clear coat."""


def cosine(nodes: Nodes, normal=None):
    """Between the shading normal and the direction towards the viewer, at least 0."""
    geometry = nodes.add("ShaderNodeNewGeometry")
    towards = geometry.node.outputs["Incoming"]
    normal = geometry.node.outputs["Normal"] if normal is None else normal
    dot = nodes.add("ShaderNodeVectorMath", towards, normal, operation="DOT_PRODUCT", out="Value")
    return nodes.math("MAXIMUM", dot, 0.0)


def schlick(nodes: Nodes, view):
    """(1 - cosine)^5."""
    return nodes.math("POWER", nodes.math("SUBTRACT", 1.0, view), 5.0)


def diffuse(nodes: Nodes, albedo, roughness, view, normal=None):
    """Disney's diffuse lobe (Burley 2015, section 5.1): darker at grazing angles, with retro-reflection where rough.

    It depends on view, light and the angle between them. A Lambertian and an Oren-Nayar lobe, with weights that
    depend on view and roughness, were fitted to it under the eight bundled maps, turned twelve ways, and six single
    lights: a sphere of roughness .5 differs by .6 to 2 % under the maps, by 1.3 % lit from aside, 10 % from behind.
    """
    grazing = nodes.math("MINIMUM", schlick(nodes, view), 0.45)  # as far as the fit goes; bumps may turn further away
    shares = []
    for constant, by_roughness, by_grazing, by_both, by_square in ((0.9714, 0.0131, -0.0858, 0.0617, -2.4977),
                                                                   (0.0088, 0.0449, -0.432, 1.1406, 2.6726)):
        level = nodes.math("MULTIPLY_ADD", roughness, by_roughness, constant)
        slope = nodes.math("MULTIPLY_ADD", roughness, by_both, by_grazing)
        slope = nodes.math("MULTIPLY_ADD", grazing, by_square, slope)
        share = nodes.math("MAXIMUM", nodes.math("MULTIPLY_ADD", grazing, slope, level), 0.0)
        shares.append(nodes.add("ShaderNodeVectorMath", albedo, share, operation="MULTIPLY"))
    smooth, rough = (nodes.add("ShaderNodeBsdfDiffuse", Color=colour, Roughness=sigma, Normal=normal)
                     for colour, sigma in zip(shares, (0.0, 1.0), strict=True))
    return nodes.add("ShaderNodeAddShader", smooth, rough)


def walk_colour(nodes: Nodes, albedo):
    """What Cycles' random walk is to be told for a slab under even light to have this albedo.

    Its inversion of albedo (Wrenninge et al. 2017) leaves .86 A + .18 A^2 of it, by spheres of 170 mean free paths.
    """
    slope = nodes.add("ShaderNodeVectorMath", albedo, (0.035,) * 3, (-0.23,) * 3, operation="MULTIPLY_ADD")
    factor = nodes.add("ShaderNodeVectorMath", albedo, slope, (1.165,) * 3, operation="MULTIPLY_ADD")
    return nodes.add("ShaderNodeVectorMath", albedo, factor, operation="MULTIPLY")


def gloss(nodes: Nodes, roughness, view, normal=None):
    """Disney's specular lobe, a dielectric GGX: a shader, and the node whose ``Specular IOR Level`` is ``specular``.

    Mitsuba's shadowing and masking are independent (G1 G1), Cycles' are correlated by height, which is brighter at
    grazing angles: where light comes and goes at the same angle by (1 + s)^2 / 4s, s^2 = 1 + alpha^2 tan^2. It is less
    where light comes from higher up; to the power of .75 it served heads under a sun behind them and aside best.
    """
    lobe = nodes.add("ShaderNodeBsdfPrincipled", distribution="GGX", Base_Color=(0, 0, 0, 1), IOR=1.5,
                     Roughness=roughness, Normal=normal)
    square = nodes.math("MAXIMUM", nodes.math("MULTIPLY", view, view), 1e-4)
    tangent = nodes.math("SUBTRACT", nodes.math("DIVIDE", 1.0, square), 1.0)
    width = nodes.math("POWER", roughness, 4.0)
    s = nodes.math("SQRT", nodes.math("MULTIPLY_ADD", width, tangent, 1.0))
    left = nodes.math("DIVIDE", nodes.math("MULTIPLY", s, 4.0), nodes.math("POWER", nodes.math("ADD", s, 1.0), 2.0))
    return nodes.add("ShaderNodeMixShader", nodes.math("POWER", left, 0.75), None, lobe), lobe.node


def coat(nodes: Nodes, weight, alpha, view, normal=None):
    """Disney's clear coat with index 1.5 as Mitsuba has it: F D G cos_i / 4, without a division by cosines.

    Its GTR1 distribution of width ``alpha`` is an even mixture of GGX over log(alpha) from there to 1 (integrate D_GGX
    d(alpha^2) / alpha^2), of which these are a few.
    """
    reflected = nodes.math("MULTIPLY_ADD", schlick(nodes, view), 0.96, 0.04)
    # Against a microfacet lobe cos_i cos_o is left, and a sharp one reflects with cos_i = cos_o.
    share = nodes.math("MULTIPLY", nodes.math("MULTIPLY", weight, reflected), nodes.math("MULTIPLY", view, view))
    lobes = []
    for number in range(COAT_LOBES):
        width = nodes.math("POWER", alpha, 1 - (number + 0.5) / COAT_LOBES)
        # A wide one loses part of it below the horizon: 1 / (1 + .4 width) of it is left, to 5 %.
        left = nodes.math("MULTIPLY_ADD", width, 0.4 * COAT_LOBES, float(COAT_LOBES))
        lobes.append(nodes.add("ShaderNodeBsdfGlossy", distribution="GGX", Normal=normal,
                               Color=nodes.math("DIVIDE", share, left), Roughness=nodes.math("SQRT", width)))
    total = lobes[0]
    for lobe in lobes[1:]:
        total = nodes.add("ShaderNodeAddShader", total, lobe)
    return total


def coat_alpha(clearcoat_gloss: float) -> float:
    """Width of the clear coat's distribution (Burley 2012, section 5.6)."""
    return 0.1 + clearcoat_gloss * (0.001 - 0.1)
