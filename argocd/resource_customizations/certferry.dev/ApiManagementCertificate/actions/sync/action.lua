-- Any new value asks for a pass, and the resource version is a new one each time.
local metadata = obj.metadata
metadata.annotations = metadata.annotations or {}
metadata.annotations["certferry.dev/sync-requested"] = "argocd-" .. metadata.resourceVersion
return obj
