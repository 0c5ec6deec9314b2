"""Pure decisions: no boto3, no environment, no clock. Everything here runs on a laptop and in `lockkeeper simulate`."""
