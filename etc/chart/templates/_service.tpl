{{/* The fields of a Service that are passed on, those that it may have by its type. */}}
{{- define "txingress.serviceFields" -}}
type: {{ .type }}
{{- range $field := list "clusterIP" "clusterIPs" "externalIPs" "sessionAffinity" "trafficDistribution" "ipFamilyPolicy" "ipFamilies" }}
{{- with get $ $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- if eq .type "LoadBalancer" }}
{{- range $field := list "loadBalancerIP" "loadBalancerSourceRanges" "loadBalancerClass" }}
{{- with get $ $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- if hasKey . "allocateLoadBalancerNodePorts" }}
allocateLoadBalancerNodePorts: {{ .allocateLoadBalancerNodePorts }}
{{- end }}
{{- end }}
{{- if has .type (list "LoadBalancer" "NodePort") }}
{{- with .externalTrafficPolicy }}
externalTrafficPolicy: {{ . }}
{{- end }}
{{- with .healthCheckNodePort }}
healthCheckNodePort: {{ . | int }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A port by its number or its name. */}}
{{- define "txingress.portOrName" -}}
{{- if kindIs "string" . -}}
{{- quote . -}}
{{- else -}}
{{- int . -}}
{{- end -}}
{{- end -}}

{{/* The spec of a Service in front of the proxy. root; service: its values. */}}
{{- define "txingress.service" -}}
{{- $service := .service -}}
{{- $hasNodePorts := has $service.type (list "LoadBalancer" "NodePort") -}}
{{ include "txingress.serviceFields" $service }}
selector:
  {{- include "txingress.selector" .root | nindent 2 }}
ports:
  {{- range $name := list "http" "https" }}
  {{- if include "txingress.listens" (list $.root $name) | eq "yes" }}
  - name: {{ $name }}
    port: {{ get $service.ports $name | int }}
    targetPort: {{ include "txingress.portOrName" (get $service.targetPorts $name) }}
    {{- if $service.appProtocol }}
    appProtocol: {{ $name }}
    {{- end }}
    {{- if and $hasNodePorts (get $service.nodePorts $name) }}
    nodePort: {{ get $service.nodePorts $name | int }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- range $protocol := list "tcp" "udp" }}
  {{- range $port, $_ := default dict (get $.root.Values $protocol) }}
  - name: {{ include "txingress.portName" (dict "root" $.root "port" $port "protocol" $protocol) | quote }}
    port: {{ $port }}
    targetPort: {{ include "txingress.portName" (dict "root" $.root "port" $port "protocol" $protocol) | quote }}
    protocol: {{ upper $protocol }}
    {{- with get (get $service.nodePorts $protocol) (toString $port) }}
    {{- if $hasNodePorts }}
    nodePort: {{ . | int }}
    {{- end }}
    {{- end }}
  {{- end }}
  {{- end }}
{{- end -}}
