"""Running code that may be hostile: source trees, the sandbox, the pytest zygote and plain runs."""
