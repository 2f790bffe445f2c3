"""Bootstrap samples of a corpus, as the command and Python train them."""
