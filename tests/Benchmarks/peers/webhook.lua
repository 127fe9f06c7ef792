-- wrk: signed webhooks, each a delivery of its own. TOKEN is the signature of the body.
local body = '{"event":"payment.succeeded","id":"pay_0001","amount":1000,"currency":"EUR","customer":{"id":"cus_42","name":"Ada"}}'
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("prefix", string.format("%d-%d-", os.time(), threads))
end

function init()
  sent = 0
  headers = { ["Content-Type"] = "application/json", ["X-Webhook-Signature"] = "sha256=" .. os.getenv("TOKEN") }
end

function request()
  sent = sent + 1
  headers["X-Webhook-Id"] = prefix .. sent
  return wrk.format("POST", nil, headers, body)
end

-- As in json.lua.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
