"""MakeHuman's data folder: safe readers of its meshes, targets, skeleton, weights, poses and clothes."""
