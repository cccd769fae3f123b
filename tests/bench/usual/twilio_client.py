import os

from twilio.rest import Client  # type: ignore[import-untyped]

client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
client.serverless.base_url = os.environ["TWBUILD_API_URL"]
_, _, _, service, _, build, _ = os.environ["STATUS_PATH"].split("/")
print(client.serverless.v1.services(service).builds(build).build_status().fetch().status)
