"""Environments: worlds that give evidence about tasks and changes, never judgement."""
