"""Least privilege, proved: what the roles of the stacks grant, held against what end-to-end tests did on the laptop's AWS."""
