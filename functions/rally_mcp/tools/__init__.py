"""What the model sees: every tool, and which of them a deployment offers."""
