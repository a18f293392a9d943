"""For the frameworks that agents are written with; each module needs its own package, and nothing else does."""
