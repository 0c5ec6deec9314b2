"""Lockkeeper's core: what every function shares. `domain` decides, `use_cases` act, `adapters` know AWS."""
