"""What ends the job with a sentence for the person who started it."""

from __future__ import annotations


class EvaluationError(Exception):
    """The rows, the model or the arguments do not allow a report; the message says what to change."""
