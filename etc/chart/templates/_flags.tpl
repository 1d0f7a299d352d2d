{{/*
What extraArgs, the flags of ingress-nginx, set in the configuration. Flags that are not in
txingress.knownFlags have no effect, and NOTES.txt names them. Those that would change who is
served, or how access is decided, and cannot be honoured are refused.
*/}}

{{- define "txingress.flags" -}}
{{- $flags := .Values.controller.extraArgs -}}
{{- range $name, $reason := dict
    "watch-namespace-selector" "namespaces cannot be chosen by their labels: name one in controller.scope.namespace, or a list in controller.configuration.source.kubernetes.namespaces"
    "annotations-prefix" "annotations have the prefix nginx.ingress.kubernetes.io; with another one, none of them would be read" -}}
{{- if hasKey $flags $name -}}
{{- fail (printf "controller.extraArgs.%s: %s" $name $reason) -}}
{{- end -}}
{{- end -}}
{{- $config := dict -}}
{{- $kubernetes := dict -}}
{{- $status := dict -}}
{{- $class := dict -}}
{{- $listen := dict -}}
{{- range $name, $given := $flags -}}
{{- $value := include "txingress.text" $given -}}
{{- $isOn := or (eq $value "") (eq $value "true") -}}
{{- if eq $name "default-ssl-certificate" -}}
{{- $_ := set $config "tls" (dict "default" $value) -}}
{{- else if eq $name "default-backend-service" -}}
{{- $_ := set $config "default-backend" $value -}}
{{- else if eq $name "configmap" -}}
{{- $_ := set $config "config-map" $value -}}
{{- else if eq $name "watch-namespace" -}}
{{- $_ := set $kubernetes "namespaces" (ternary (list $value) list (ne $value "")) -}}
{{- else if eq $name "publish-service" -}}
{{- $_ := set $status "service" $value -}}
{{- else if eq $name "publish-status-address" -}}
{{- $_ := set $status "service" nil -}}
{{- $_ := set $status "addresses" (splitList "," $value) -}}
{{- else if and (eq $name "update-status") (not $isOn) -}}
{{- $_ := set $status "service" nil -}}
{{- $_ := set $status "nodes" nil -}}
{{- else if eq $name "update-status-on-shutdown" -}}
{{- $_ := set $status "clear-on-shutdown" $isOn -}}
{{- else if eq $name "ingress-class" -}}
{{- $_ := set $class "name" $value -}}
{{- else if eq $name "controller-class" -}}
{{- $_ := set $class "controller" $value -}}
{{- else if eq $name "watch-ingress-without-class" -}}
{{- $_ := set $class "without-class" $isOn -}}
{{- end -}}
{{- end -}}
{{- if $status -}}
{{- $_ := set $kubernetes "status" $status -}}
{{- end -}}
{{- if $kubernetes -}}
{{- $_ := set $config "source" (dict "kubernetes" $kubernetes) -}}
{{- end -}}
{{- if $class -}}
{{- $_ := set $config "class" $class -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "txingress.knownFlags" -}}
default-ssl-certificate default-backend-service configmap watch-namespace publish-service publish-status-address update-status update-status-on-shutdown ingress-class controller-class watch-ingress-without-class election-id
{{- end -}}
