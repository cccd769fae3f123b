import os

import requests

url = os.environ["TWBUILD_API_URL"] + os.environ["STATUS_PATH"]
auth = os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"]
print(requests.get(url, auth=auth, timeout=10).json()["status"])
