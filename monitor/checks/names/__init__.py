"""The domain name system and the registries of domains, as they are asked and understood."""
