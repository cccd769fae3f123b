// twilio-cli asks Twilio's own host and nothing else: lead its requests to the API on loopback.
const http = require("node:http");
const https = require("node:https");
const { hostname, port } = new URL(process.env.TWBUILD_API_URL);

https.request = ({ path, method, headers }, callback) =>
  http.request({ hostname, port, path, method, headers }, callback);
