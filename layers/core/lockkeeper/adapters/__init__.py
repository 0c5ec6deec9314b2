"""The only code that knows boto3 or HTTP. `in_memory` holds the fakes that pass the same suite."""
