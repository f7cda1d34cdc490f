"""Thin typed clients of outside services; each is one file on httpx and knows nothing of the lab above it."""
