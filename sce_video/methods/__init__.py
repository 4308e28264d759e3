"""Self-supervised methods: losses as pure functions, the queue, the momentum encoder, and whole steps."""
