{{/* The name of the chart, for labels. */}}
{{- define "certferry.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The name of the installation. Objects get at most 13 characters more, but for grants of tokens, and some names end at 63.
*/}}
{{- define "certferry.fullname" -}}
{{- $name := include "certferry.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "certferry.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "certferry.fullname" .) "default") }}
{{- end }}

{{/* Where the operator runs. */}}
{{- define "certferry.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "certferry.image" -}}
{{- $image := .Values.image.repository }}
{{- with (.Values.global).imageRegistry | default .Values.image.registry }}{{ $image = printf "%s/%s" . $image }}{{ end }}
{{- $tag := printf ":%s" (.Values.image.tag | default .Chart.AppVersion) }}
{{- with .Values.image.digest }}{{ $tag = printf "@%s" . }}{{ end }}
{{- printf "%s%s" $image $tag | quote }}
{{- end }}

{{/* Secrets for pulling the image. Other charts of a release may want names alone in `global`. */}}
{{- define "certferry.pullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets }}
{{- range (.Values.global).imagePullSecrets }}
{{- if kindIs "string" . }}{{ $secrets = append $secrets (dict "name" .) }}{{ else }}{{ $secrets = append $secrets (pick . "name") }}{{ end }}
{{- end }}
{{- uniq $secrets | toYaml }}
{{- end }}

{{/* What the pods are known by; it never changes. */}}
{{- define "certferry.selector" -}}
app.kubernetes.io/name: {{ include "certferry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "certferry.labels" -}}
{{- $own := include "certferry.selector" . | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- merge (dict) $own .Values.commonLabels | toYaml }}
{{- end }}

{{/*
The metadata of an object, below `metadata:`. Takes a list: the context; the end of the name; the namespace, if any; and
further labels and annotations, or another name, if any.
*/}}
{{- define "certferry.metadata" -}}
{{- $root := index . 0 }}
{{- $more := dict }}
{{- if gt (len .) 3 }}{{ $more = index . 3 }}{{ end -}}
name: {{ $more.name | default (printf "%s%s" (include "certferry.fullname" $root) (index . 1)) }}
{{- with index . 2 }}
namespace: {{ . }}
{{- end }}
labels:
  {{- merge (dict) ($more.labels | default dict) (include "certferry.labels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (dict) ($more.annotations | default dict) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The metadata of an object for the monitoring, which may stand in a namespace of its own. Takes a list: the context; the end of
the name; and its values.
*/}}
{{- define "certferry.monitoringMetadata" -}}
{{- $root := index . 0 }}
{{- $namespace := (index . 2).namespace | default (include "certferry.namespace" $root) }}
{{- include "certferry.metadata" (list $root (index . 1) $namespace (pick (index . 2) "labels" "annotations")) }}
{{- end }}

{{/* How the metrics port is scraped, by the values of a monitor. */}}
{{- define "certferry.scrape" -}}
port: metrics
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
# A certificate's series carry its own namespace and name.
honorLabels: true
{{- end }}

{{/* "true" if a kind of the Prometheus operator is to be rendered. Takes a list: the context, and the kind. */}}
{{- define "certferry.monitoring" -}}
{{- $root := index . 0 }}
{{- $api := printf "monitoring.coreos.com/v1/%s" (index . 1) }}
{{- $there := $root.Capabilities.APIVersions.Has $api }}
{{- $mode := $root.Values.metrics.renderMode }}
{{- if and (eq $mode "FailIfMissing") (not $there) }}
{{- fail (printf "the cluster does not have %s: install the Prometheus operator, or set metrics.renderMode to SkipIfMissing" $api) }}
{{- end }}
{{- if or $there (ne $mode "SkipIfMissing") }}true{{ end }}
{{- end }}

{{/* The collector's port where the NetworkPolicy keeps traces from it; nothing where it is open, or where there may be a rule. */}}
{{- define "certferry.keptTraces" -}}
{{- $endpoint := .Values.otlp.endpoint }}
{{- with .Values.networkPolicy }}
{{- if and .enabled $endpoint (not .extraEgress) }}
{{- $usual := hasPrefix "https:" $endpoint | ternary "443" "80" }}
{{- $port := regexFind "^https?://[^/?#]+" $endpoint | regexFind ":[0-9]+$" | trimPrefix ":" | default $usual }}
{{- if not (has $port (toStrings .egressPorts)) }}{{ $port }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
A binding of a role to the operator. Takes a list: the context; the kind of the binding; its namespace, if any; the kind of the
role; and the end of the role's name, which is the binding's too.
*/}}
{{- define "certferry.binding" -}}
{{- $root := index . 0 }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ index . 1 }}
metadata:
  {{- include "certferry.metadata" (list $root (index . 4) (index . 2)) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 3 }}
  name: {{ include "certferry.fullname" $root }}{{ index . 4 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "certferry.serviceAccount" $root }}
    namespace: {{ include "certferry.namespace" $root }}
{{- end }}

{{/* What the admission policies look at: writes of certificates. */}}
{{- define "certferry.certificates" -}}
resourceRules:
  - apiGroups: [certferry.dev]
    apiVersions: ["*"]
    operations: [CREATE, UPDATE]
    resources:
      - iothubcertificates
      - keyvaultcertificates
      - apimanagementcertificates
      - iotdacertificates
{{- end }}
