"""FLAME and SMPL-X: the user's licensed files, in every layout that their authors published."""
