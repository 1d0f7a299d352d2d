-- Clients that think: milliseconds of pause before a request, on average the first argument.
-- Random, so that they do not march in step.

local twice

function init(arguments)
   twice = math.floor(2 * tonumber(arguments[1]) + 0.5)
end

function delay()
   return math.random(0, twice)
end
