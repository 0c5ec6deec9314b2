"""The story that `lockkeeper demo` plays against the laptop's AWS, chapter by chapter."""
