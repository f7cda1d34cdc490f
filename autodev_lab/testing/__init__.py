"""Contract suites: what a plug-in must promise, as small functions to call from a test of your own."""
