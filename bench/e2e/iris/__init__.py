"""The main use: an iris row classified through a runner process, beside the same model in other
servers."""
