-- wrk: POSTs one iris row again and again, and prints its figures as one line of JSON.
-- With the argument "check" it also compares every reply, which costs wrk too much to measure with.
wrk.method = "POST"
wrk.path = "/classify"
wrk.body = "[[4.9,3.0,1.4,0.2]]"
wrk.headers["Content-Type"] = "application/json"

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function check(status, headers, body)
  if status ~= 200 or body:gsub("%s+$", "") ~= "[0]" then
    wrong = wrong + 1
  end
end

function init(args)
  wrong = 0
  if args[1] == "check" then
    response = check
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local wrong_bodies = 0
  for _, thread in ipairs(threads) do
    wrong_bodies = wrong_bodies + thread:get("wrong")
  end
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "max_ms": %.4f, ' ..
    '"status_errors": %d, "socket_errors": %d, "wrong": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, wrong_bodies))
end
