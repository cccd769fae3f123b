"""Watch a Twilio Serverless Build until it is completed or failed."""

__version__ = "0.3.0"
