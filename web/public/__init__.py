"""The pages that customers read."""
