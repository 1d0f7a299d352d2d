-- Requests to any of so many hosts, the first argument, as `benchmarks.comparison.site` names
-- them: made beforehand, so that asking many costs no more than asking one.

local requests = {}

function init(arguments)
   for number = 0, tonumber(arguments[1]) - 1 do
      local host = number == 0 and "localhost" or "host-" .. number .. ".example"
      requests[number + 1] = wrk.format("GET", wrk.path, {["Host"] = host})
   end
end

function request()
   return requests[math.random(#requests)]
end
