"""Tasks, stages, claims and results: one pure transition function, and the ledgers and buses that apply it."""
