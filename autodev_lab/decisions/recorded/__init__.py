"""Recorded changes of real projects: read, described by features of the past, and scored by risk models."""
