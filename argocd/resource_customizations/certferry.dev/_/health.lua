-- All kinds of certferry.dev follow kstatus: status.observedGeneration, and the conditions Reconciling, Stalled and Ready.
-- See https://github.com/certferry/certferry/blob/main/docs/gitops.md
local metadata, spec, status = obj.metadata or {}, obj.spec or {}, obj.status or {}

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

-- What a condition says, if it has that status.
local function told(name, value)
  local condition = conditions[name]
  if condition ~= nil and condition.status == value then
    return condition.message or condition.reason or name
  end
end

if metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "Pending deletion" }
end
if spec.managementPolicy == "Suspend" then
  return { status = "Suspended", message = "Suspended by spec.managementPolicy" }
end
if spec.suspend == true then
  return { status = "Suspended", message = "Suspended by spec.suspend" }
end
if status.observedGeneration == nil or status.observedGeneration ~= metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to look at this generation" }
end
-- Its account is suspended.
if conditions.Ready ~= nil and conditions.Ready.reason == "Suspended" then
  return { status = "Suspended", message = conditions.Ready.message }
end

-- The first row that holds. Work under way comes before Ready, so that a renewal is not shown as a failure.
local rows = {
  { "Stalled", "True", "Degraded" },
  { "Reconciling", "True", "Progressing" },
  { "Ready", "True", "Healthy" },
  { "Ready", "False", "Degraded" },
}
for _, row in ipairs(rows) do
  local message = told(row[1], row[2])
  if message ~= nil then
    return { status = row[3], message = message }
  end
end
return { status = "Progressing", message = "Waiting for the operator" }
