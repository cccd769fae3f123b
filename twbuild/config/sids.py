"""What names a service or a build: SIDs, and the unique names of services.

Source: https://www.twilio.com/docs/glossary/what-is-a-sid
"""

HEX_DIGITS = 32
DIGITS = f"[0-9a-fA-F]{{{HEX_DIGITS}}}"  # behind two letters

SERVICE = f"ZS{DIGITS}"
BUILD = f"ZB{DIGITS}"
UNIQUE_NAME = "[A-Za-z0-9_-]{1,50}"
SERVICE_NAME = f"(?!Z[SB]){UNIQUE_NAME}"  # what begins like a SID is one
