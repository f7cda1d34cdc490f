"""The command line: `autodev-lab`, one module a command."""
