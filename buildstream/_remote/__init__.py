"""Clients of remote caches: channels, content storage, names of assets."""
