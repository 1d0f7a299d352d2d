{{/*
A monitor of the Prometheus operator. root; kind: ServiceMonitor or PodMonitor; monitor: its values;
port: the name of the port.
*/}}
{{- define "txingress.monitor" -}}
{{- $monitor := .monitor -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  {{- include "txingress.metadata" (dict "root" .root "name" (include "txingress.controller" .root) "namespace" $monitor.namespace "labels" $monitor.additionalLabels "annotations" $monitor.annotations) | nindent 2 }}
spec:
  namespaceSelector:
    {{- if $monitor.namespaceSelector }}
    {{- toYaml $monitor.namespaceSelector | nindent 4 }}
    {{- else }}
    matchNames: [{{ include "txingress.namespace" .root | quote }}]
    {{- end }}
  selector:
    matchLabels:
      {{- include "txingress.selector" .root | nindent 6 }}
  {{ ternary "endpoints" "podMetricsEndpoints" (eq .kind "ServiceMonitor") }}:
    - port: {{ .port | quote }}
      interval: {{ $monitor.scrapeInterval | quote }}
      {{- with $monitor.scrapeTimeout }}
      scrapeTimeout: {{ . | quote }}
      {{- end }}
      {{- if $monitor.honorLabels }}
      honorLabels: true
      {{- end }}
      {{- range $field := list "relabelings" "metricRelabelings" }}
      {{- with get $monitor $field }}
      {{ $field }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
  {{- with $monitor.jobLabel }}
  jobLabel: {{ . | quote }}
  {{- end }}
  {{- with $monitor.targetLabels }}
  {{ ternary "targetLabels" "podTargetLabels" (eq $.kind "ServiceMonitor") }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $field := list "labelLimit" "labelNameLengthLimit" "labelValueLengthLimit" "sampleLimit" "targetLimit" }}
  {{- with get $monitor $field }}
  {{ $field }}: {{ . | int }}
  {{- end }}
  {{- end }}
{{- end -}}
