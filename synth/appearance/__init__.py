"""Materials of a person: what the skin, eyes, teeth and hair look like, independent of any light."""
