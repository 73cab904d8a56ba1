"""Getting data into a store from this machine, and out of it onto this machine."""
