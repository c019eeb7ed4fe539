"""HTTP by itself: a trivial handler beside other servers, idle connections, event streams
and TLS."""
