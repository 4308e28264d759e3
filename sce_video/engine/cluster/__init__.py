"""The processes of one run: which one this is, what the others have, which has ended, whose folder it is."""
