curl -s -u "$TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN" "$TWBUILD_API_URL$STATUS_PATH" |
    sed 's/.*"status": *"\([a-z]*\)".*/\1/'
