"""The relighter's room: what light does to a portrait video, learnt from the dataset. Imports no torch until asked."""
