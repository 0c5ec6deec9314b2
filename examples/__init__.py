"""Example model groups: real data, real training code, a pipeline definition and a policy each."""
