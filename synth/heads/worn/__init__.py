"""What is worn on a head of any family: glasses, caps, scarves."""
