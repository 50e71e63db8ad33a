"""Training steps of whole networks, each in koubai and in its peers, side by side in one file."""
