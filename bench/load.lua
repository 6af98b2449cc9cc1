-- wrk's script for the benchmarks. Arguments after `--`, each KEY=VALUE:
--   header=NAME: VALUE   sent with every request
--   body=FILE            the body; given several times, they take turns
--   check=1              look into every answer; one that is not whole is counted as `bad`
--   patience=SECONDS     with one connection a thread: a caller whose last answer is longer ago
--                        than this at the end is counted as `stuck` (wrk itself does not count
--                        answers that never came)
-- The last line of the output is `RESULT {…}`.

local threads = {}
local requests = {}
-- Globals: read by done(), which runs apart from the threads.
bad = 0
first_bad = ""
answered = os.time()
patience = 0

function setup(thread)
  table.insert(threads, thread)
end

local function turns()
  local at = 0
  function request()
    at = at % #requests + 1
    return requests[at]
  end
end

-- Whole: the fifty words in order, and the dialect's own end.
local function whole(status, body)
  if status ~= 200 then return false end
  local count = 0
  for word in body:gmatch("w(%d%d) ") do
    if tonumber(word) ~= count then return false end
    count = count + 1
  end
  if count ~= 50 then return false end
  if body:sub(1, 1) == "{" then return body:find('"finish_reason": ?"stop"') ~= nil end
  return body:find("data: [DONE]", 1, true) ~= nil
end

local function watch()
  function response(status, headers, body)
    answered = os.time()
    if not whole(status, body) then
      bad = bad + 1
      if bad == 1 then first_bad = status .. " " .. body:sub(1, 200) .. " ... " .. body:sub(-200) end
    end
  end
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  local bodies, check = {}, false
  for _, arg in ipairs(args) do
    local key, value = arg:match("^(%w+)=(.*)$")
    if key == "header" then
      local name, text = value:match("^([^:]+): (.*)$")
      wrk.headers[name] = text
    elseif key == "body" then
      -- Closed at once: wrk refuses connections whose descriptor is above a small limit.
      local file = assert(io.open(value, "rb"))
      table.insert(bodies, file:read("*a"))
      file:close()
    elseif key == "patience" then
      patience = tonumber(value)
    elseif key == "check" then
      check = true
    end
  end
  wrk.body = bodies[1]
  for _, body in ipairs(bodies) do
    table.insert(requests, wrk.format(nil, nil, nil, body))
  end
  if #requests > 1 then turns() end
  if check then watch() end
end

function done(summary, latency, rates)
  local failed, stuck, words = 0, 0, ""
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("bad")
    local limit = thread:get("patience")
    if limit > 0 and os.time() - thread:get("answered") > limit then stuck = stuck + 1 end
    if words == "" then words = thread:get("first_bad") end
  end
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "bytes": %d, "connect": %d, "read": %d, "write": %d, ' ..
    '"status": %d, "timeout": %d, "bad": %d, "stuck": %d, "p99_us": %d, "max_us": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, e.connect, e.read, e.write,
    e.status, e.timeout, failed, stuck, latency:percentile(99), latency.max))
  if words ~= "" then io.stderr:write("first bad answer: " .. words .. "\n") end
end
