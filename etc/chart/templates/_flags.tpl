{{/*
What extraArgs, the flags of ingress-nginx, mean here. flags.yaml is made of the table of the process
itself (make docs), which reads the same flags in `txingress nginx-ingress-controller`.
*/}}

{{/* The value of a flag as text: "true" and "false" for booleans. root; name; value */}}
{{- define "txingress.flag" -}}
{{- $known := get (.root.Files.Get "flags.yaml" | fromYaml) .name -}}
{{- if not $known -}}
{{- fail (printf "controller.extraArgs.%s: ingress-nginx 1.15 has no such flag" .name) -}}
{{- end -}}
{{- $text := ternary "" (include "txingress.text" .value) (kindIs "invalid" .value) -}}
{{- $text = $text | replace "$(POD_NAMESPACE)" (include "txingress.namespace" .root) -}}
{{- if eq $known.kind "boolean" -}}
{{- $text = ternary "true" "false" (has $text (list "" "true" "True" "TRUE" "t" "T" "1")) -}}
{{- end -}}
{{- if contains "$(" $text -}}
{{- fail (printf "controller.extraArgs.%s: no variable but $(POD_NAMESPACE) is known when this is rendered" .name) -}}
{{- end -}}
{{- if and (eq $known.verdict "stops the start") (ne $text $known.default) -}}
{{- fail (printf "controller.extraArgs.%s: %s" .name $known.effect) -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* The configuration that the flags ask for. */}}
{{- define "txingress.flags" -}}
{{- $config := dict -}}
{{- $kubernetes := dict -}}
{{- $status := dict -}}
{{- $class := dict -}}
{{- range $name, $given := .Values.controller.extraArgs -}}
{{- $value := include "txingress.flag" (dict "root" $ "name" $name "value" $given) -}}
{{- $isOn := eq $value "true" -}}
{{- if eq $name "default-ssl-certificate" -}}
{{- $_ := set $config "tls" (dict "default" $value) -}}
{{- else if eq $name "default-backend-service" -}}
{{- $_ := set $config "default-backend" $value -}}
{{- else if eq $name "configmap" -}}
{{- $_ := set $config "config-map" $value -}}
{{- else if has $name (list "tcp-services-configmap" "udp-services-configmap") -}}
{{- $_ := set $config (trimSuffix "-configmap" $name) $value -}}
{{- else if eq $name "v" -}}
{{- if ge (int $value) 3 -}}
{{- $_ := set $config "log" (dict "level" "debug") -}}
{{- end -}}
{{- else if eq $name "kubeconfig" -}}
{{- $_ := set $kubernetes "kubeconfig" $value -}}
{{- else if eq $name "watch-namespace" -}}
{{- $_ := set $kubernetes "namespaces" (list $value) -}}
{{- else if eq $name "publish-service" -}}
{{- $_ := set $status "service" $value -}}
{{- else if eq $name "publish-status-address" -}}
{{- $_ := set $status "addresses" (splitList "," $value) -}}
{{- else if eq $name "update-status-on-shutdown" -}}
{{- $_ := set $status "clear-on-shutdown" $isOn -}}
{{- else if eq $name "health-check-path" -}}
{{- $_ := set $config "admin" (dict "health-path" $value) -}}
{{- else if eq $name "enable-ssl-passthrough" -}}
{{- $_ := set $config "ssl-passthrough" $isOn -}}
{{- else if eq $name "disable-svc-external-name" -}}
{{- $_ := set $config "external-names" (not $isOn) -}}
{{- else if eq $name "disable-catch-all" -}}
{{- $_ := set $config "catch-all" (not $isOn) -}}
{{- else if eq $name "shutdown-grace-period" -}}
{{- $_ := set $config "shutdown-delay" (int $value) -}}
{{- else if eq $name "ingress-class-by-name" -}}
{{- $_ := set $class "by-name" $isOn -}}
{{- else if eq $name "ingress-class" -}}
{{- $_ := set $class "name" $value -}}
{{- else if eq $name "controller-class" -}}
{{- $_ := set $class "controller" $value -}}
{{- else if eq $name "watch-ingress-without-class" -}}
{{- $_ := set $class "without-class" $isOn -}}
{{- end -}}
{{- end -}}
{{- with $status -}}
{{- $_ := set $kubernetes "status" . -}}
{{- end -}}
{{- with $kubernetes -}}
{{- $_ := set $config "source" (dict "kubernetes" .) -}}
{{- end -}}
{{- with $class -}}
{{- $_ := set $config "class" . -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A flag that other values have as well, or that value. root; name: of the flag; or: the value */}}
{{- define "txingress.flagOr" -}}
{{- $flags := default dict .root.Values.controller.extraArgs -}}
{{- if hasKey $flags .name -}}
{{- include "txingress.flag" (dict "root" .root "name" .name "value" (get $flags .name)) -}}
{{- else -}}
{{- include "txingress.text" .or -}}
{{- end -}}
{{- end -}}

{{/* The port of a listener. [root, http, https or admin] */}}
{{- define "txingress.port" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $values := $root.Values.controller -}}
{{- if eq $name "admin" -}}
{{- include "txingress.flagOr" (dict "root" $root "name" "healthz-port" "or" $values.metrics.port) -}}
{{- else -}}
{{- include "txingress.flagOr" (dict "root" $root "name" (printf "%s-port" $name) "or" (get $values.containerPort $name)) -}}
{{- end -}}
{{- end -}}

{{/* A line for each flag that does nothing. */}}
{{- define "txingress.unusedFlags" -}}
{{- $flags := .Files.Get "flags.yaml" | fromYaml -}}
{{- range $name, $given := .Values.controller.extraArgs }}
{{- $known := get $flags $name }}
{{- $value := include "txingress.flag" (dict "root" $ "name" $name "value" $given) }}
{{- if and (ne $known.verdict "works") (ne $value $known.default) }}
- controller.extraArgs.{{ $name }}: {{ $known.effect }}
{{- end }}
{{- end }}
{{- end -}}
