"""The relighter's room: conditioning, models, training and pipelines move in with the issues that build them."""
