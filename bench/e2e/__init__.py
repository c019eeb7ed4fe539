"""End-to-end benchmark: bentohost beside its peers, in one go. See bench/README.md."""
