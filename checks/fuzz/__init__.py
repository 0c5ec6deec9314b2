"""Random and mutated input for everything that reads what others wrote: `make fuzz`."""
