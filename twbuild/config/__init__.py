"""What the user has set: credentials, the API's address, service and builds."""
