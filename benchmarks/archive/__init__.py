"""An archive like UNBC-McMaster's, of rendered faces, with every oddity planted and counted."""
