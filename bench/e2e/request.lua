-- wrk: sends one request again and again, and prints its figures as one line of JSON.
-- Arguments: method, path, content type, body, and optionally the expected body of each reply; the
-- comparison costs wrk too much for measured runs.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function check(status, headers, body)
  if status ~= 200 or body:gsub("%s+$", "") ~= expected then
    wrong = wrong + 1
  end
end

function init(args)
  wrong = 0
  wrk.method, wrk.path = args[1], args[2]
  if args[4] ~= "" then
    wrk.headers["Content-Type"], wrk.body = args[3], args[4]
  end
  if args[5] then
    expected, response = args[5], check
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
