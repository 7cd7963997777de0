"""How every cube and every sample store holds reflectance, whatever the sensor: uint16.

Nothing is imported here, so that the network, which needs torch and numpy alone, can read it.
"""

SCALE = 1e-4
"""Reflectance = stored value x SCALE."""

MISSING = 65535
"""Stored value of a pixel that was not seen, and of padding. 0 is a value like any other."""
