"""The drift monitor: captured traffic and ground truth in, statistics and violations in Model Monitor's formats out."""
