"""No Python."""

def app(:
