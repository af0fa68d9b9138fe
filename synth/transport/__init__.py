"""Light transport: a frame's response to light from every direction, and what follows from it by a matrix product."""
