{{/* The lines of NOTES.txt about values of ingress-nginx's chart that do nothing here. */}}
{{- define "txingress.unused" -}}
{{- range $path, $known := .Files.Get "unused.yaml" | fromYaml }}
{{- $found := $.Values }}
{{- range $key := splitList "." $path }}
{{- $found = ternary dict $found (not (kindIs "map" $found)) }}
{{- $found = ternary (get $found $key) nil (hasKey $found $key) }}
{{- end }}
{{- $isSet := ternary (not (kindIs "invalid" $found)) (not (empty $found)) (hasKey $known "harmless") }}
{{- if and $isSet (ne (toJson $found) (toJson $known.harmless)) }}
- {{ $path }}: {{ $known.reason }}
{{- end }}
{{- end }}
{{- $scope := include "txingress.scope" $ }}
{{- if and .Values.defaultBackend.enabled $scope (ne $scope (include "txingress.namespace" $)) }}
- defaultBackend: only Services of the namespace {{ $scope }} are read; name one of them in controller.extraArgs.default-backend-service
{{- end }}
{{- with include "txingress.unusedFlags" . | trim }}
{{ . }}
{{- end }}
{{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- if hasKey (get $.Values.controller $probe) "httpGet" }}
- controller.{{ $probe }}.httpGet: only the times of the probe are taken
{{- end }}
{{- end }}
{{- end -}}
