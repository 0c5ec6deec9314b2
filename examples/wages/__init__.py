"""The wages example: does a person of the PSID panel earn at least 800 dollars a week?"""
