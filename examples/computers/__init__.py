"""The computers example: what does a personal computer of the nineties cost?"""
