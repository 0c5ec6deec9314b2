"""One verb per file. A use case reads through ports, asks the domain, acts through ports; it knows no AWS."""
