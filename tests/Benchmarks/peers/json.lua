-- wrk: a POST of a small JSON document.
wrk.method = "POST"
wrk.body = '{"name":"world","items":[1,2,3,4,5,6,7,8]}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = os.getenv("TOKEN") and ("Bearer " .. os.getenv("TOKEN")) or nil

-- One line for the benchmark to read: requests, microseconds they took, median and 99th percentile in microseconds, answers that were none.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
