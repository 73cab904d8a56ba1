"""What objects are made of: canonical form, chunks, digests, splices. Pure: no IO but given
streams."""
