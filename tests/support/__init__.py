"""What several tests need: the installed command, a scripted Twilio, a terminal with a screen."""
