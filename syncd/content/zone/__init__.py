"""Zones as text: reading master files, canonical form, serials."""
