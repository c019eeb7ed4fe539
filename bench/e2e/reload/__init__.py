"""The cost of a reload, and of a crash of the serving process, for clients: an iris row at 64
connections."""
