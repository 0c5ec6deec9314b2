"""The online gates beside contract and replay: what an endpoint's real answers say about latency, load and safety."""
