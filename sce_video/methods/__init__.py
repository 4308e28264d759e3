"""Self-supervised methods, with their losses (pure functions), key queue and momentum encoder."""
