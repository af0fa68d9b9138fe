"""Small words for building Blender's shader trees. Import only where bpy is."""

from __future__ import annotations

import bpy
import numpy as np


def make_image(name: str, texels: np.ndarray) -> bpy.types.Image:
    """A new image of linear float32 texels (H, W) or (H, W, 3), whose row 0 is v = 1."""
    texels = np.asarray(texels, np.float32)
    height, width = texels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True, is_data=True)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = texels[::-1] if texels.ndim == 3 else texels[::-1, :, None]
    image.pixels.foreach_set(rgba.ravel())
    return image


class Nodes:
    """A tree under construction."""

    def __init__(self, tree: bpy.types.NodeTree):
        self._tree = tree
        tree.nodes.clear()

    def add(self, kind: str, *inputs, out: str | int = 0, group=None, **named):
        """A new node's output. Positional and upper-case keywords are inputs (``Base_Color`` is "Base Color"), sockets
        to link or values; lower-case keywords are properties of the node."""
        node = self._tree.nodes.new(kind)
        if group is not None:
            node.node_tree = group
        for name, value in named.items():
            if name[0].islower():
                setattr(node, name, value)
        sockets = list(enumerate(inputs)) + [(name.replace("_", " "), value) for name, value in named.items()
                                             if name[0].isupper()]
        for key, value in sockets:
            if isinstance(value, bpy.types.NodeSocket):
                self._tree.links.new(value, node.inputs[key])
            elif value is not None:
                node.inputs[key].default_value = value
        return node.outputs[out]

    def math(self, operation: str, *inputs):
        """The output of arithmetic on numbers."""
        return self.add("ShaderNodeMath", *inputs, operation=operation)

    def attribute(self, name: str, out: str = "Vector"):
        """A vector stored with the geometry, or a number (``Factor``)."""
        return self.add("ShaderNodeAttribute", out=out, attribute_name=name, attribute_type="GEOMETRY")

    def aov(self, name: str, vector) -> None:
        """Write a vector of the first surface seen into a pass of its own."""
        node = self._tree.nodes.new("ShaderNodeOutputAOV")
        node.aov_name = name
        self._tree.links.new(vector, node.inputs["Color"])

    def output(self, shader, kind: str = "ShaderNodeOutputMaterial") -> None:
        """What the surface, or the world, is."""
        self._tree.links.new(shader, self._tree.nodes.new(kind).inputs["Surface"])

    def source(self, image: np.ndarray | float) -> Source:
        """Where a texture or a constant comes from, of this one's kind."""
        return Source(self, image)


class Source:
    """A texture or a constant that can be replaced."""

    def __init__(self, nodes: Nodes, image: np.ndarray | float):
        self._textured = np.ndim(image) >= 2
        if self._textured:
            self.value = nodes.add("ShaderNodeTexImage", interpolation="Linear", extension="REPEAT")
        else:
            self.value = nodes.add("ShaderNodeRGB" if np.ndim(image) else "ShaderNodeValue")

    def show(self, image: np.ndarray | float) -> None:
        """Show another of the same kind. (A new image each time: Cycles keeps the pixels of one that it knows.)"""
        if self._textured:
            node = self.value.node
            before, node.image = node.image, make_image("texture", image)
            if before is not None:
                bpy.data.images.remove(before)
        else:
            self.value.default_value = (*image, 1.0) if np.ndim(image) else float(image)
