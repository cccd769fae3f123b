"""Twilio's API: requests out, models or typed errors back."""
