"""Fault injection: small worlds in virtual time, a checker of what the ledger promises, and counterexamples."""
