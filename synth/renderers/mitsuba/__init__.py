"""The Mitsuba 3 backend. Mitsuba itself is imported when a renderer is made, not when this package is."""
