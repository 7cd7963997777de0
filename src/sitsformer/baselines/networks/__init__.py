"""Networks of baselines, and how they are trained; torch is imported here and nowhere above."""
