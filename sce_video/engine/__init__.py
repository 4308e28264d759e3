"""The machinery that keeps a run going; who reads for the method need not come here."""
