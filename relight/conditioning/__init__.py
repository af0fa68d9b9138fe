"""Light, background and exposure as a model is given them."""
