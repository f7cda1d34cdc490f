"""Task streams: ordered, seeded, restartable sources of tasks and their truths."""
