"""From anybody's footage to a relit one: find the face, frame it as training did, run the networks, put it back."""
