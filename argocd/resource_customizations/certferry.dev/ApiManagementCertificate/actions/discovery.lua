-- A suspended resource is not looked at, however often it is asked for.
local suspended = obj.spec.managementPolicy == "Suspend"
return { sync = { displayName = "Compare with the cloud now", disabled = suspended } }
