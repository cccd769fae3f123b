"""A local fake of Twilio's API, and a command run against it."""
