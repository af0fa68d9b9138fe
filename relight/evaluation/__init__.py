"""How good a relighter is: on people and light that training never saw, beside what needs no relighter."""
