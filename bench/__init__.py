"""Measures syncd beside Knot, BIND, rsync and the zone compilers on one machine, in one run."""
