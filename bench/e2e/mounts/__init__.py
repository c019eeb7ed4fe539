"""Mounted apps: bentohost as a proxy beside nginx and haproxy, in front of a C++ responder, FastAPI and
Flask; a model in a runner beside the same model in the app; what a mount costs the host."""
