{{/*
ingress.yaml: what the values say, changed by extraArgs, and then by controller.configuration.
*/}}

{{- define "txingress.configuration" -}}
{{- $values := .Values.controller -}}
{{- $namespace := include "txingress.namespace" . -}}
{{- $listen := dict -}}
{{- range $name := list "http" "https" "admin" -}}
{{- $isOpen := include "txingress.listens" (list $ $name) | eq "yes" -}}
{{- $_ := set $listen $name (ternary (printf "tcp:%s" (include "txingress.port" (list $ $name))) nil $isOpen) -}}
{{- end -}}
{{- $host := get (default dict $values.extraArgs) "healthz-host" -}}
{{- if $host -}}
{{- $_ := set $listen "admin" (printf "%s:interface=%s" $listen.admin ($host | replace ":" "\\:")) -}}
{{- end -}}
{{- $kubernetes := dict "status" (include "txingress.status" . | fromYaml) "lease" (include "txingress.lease" .) -}}
{{- with include "txingress.scope" . -}}
{{- $_ := set $kubernetes "namespaces" (list .) -}}
{{- end -}}
{{- $class := dict "name" (default $values.ingressClassResource.name $values.ingressClass) "controller" $values.ingressClassResource.controllerValue -}}
{{- if $values.watchIngressWithoutClass -}}
{{- $_ := set $class "without-class" true -}}
{{- end -}}
{{- if $values.ingressClassByName -}}
{{- $_ := set $class "by-name" true -}}
{{- end -}}
{{- $delay := include "txingress.flagOr" (dict "root" . "name" "shutdown-grace-period" "or" 0) | int -}}
{{- $grace := max 1 (sub (sub (int $values.terminationGracePeriodSeconds) 30) $delay) -}}
{{- $config := dict "listen" $listen "public-ports" (include "txingress.publicPorts" . | fromYaml) "source" (dict "kubernetes" $kubernetes) "class" $class "shutdown-grace" $grace -}}
{{- if ne $values.healthCheckPath "/healthz" -}}
{{- $_ := set $config "admin" (dict "health-path" $values.healthCheckPath) -}}
{{- end -}}
{{- with include "txingress.configMap" . -}}
{{- $_ := set $config "config-map" . -}}
{{- end -}}
{{- range $protocol := list "tcp" "udp" -}}
{{- if get $.Values $protocol -}}
{{- $_ := set $config (printf "%s-services" $protocol) (printf "%s/%s-%s" (include "txingress.portsNamespace" (dict "root" $ "protocol" $protocol)) (include "txingress.fullname" $) $protocol) -}}
{{- end -}}
{{- end -}}
{{- if .Values.defaultBackend.enabled -}}
{{- $_ := set $config "default-backend" (printf "%s/%s" $namespace (include "txingress.backend" .)) -}}
{{- end -}}
{{- $config = mergeOverwrite $config (include "txingress.flags" . | fromYaml) -}}
{{- /* Without a Service a replica does not know of the others, and might remove their addresses. */ -}}
{{- if not $kubernetes.status.service -}}
{{- $_ := unset $kubernetes.status "clear-on-shutdown" -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (default dict $values.configuration | deepCopy)) -}}
{{- end -}}

{{/* Whether a listener is open: "yes" or "no". [root, http, https or admin] */}}
{{- define "txingress.listens" -}}
{{- $service := (index . 0).Values.controller.service -}}
{{- $open := dict "http" $service.enableHttp "https" $service.enableHttps "admin" true -}}
{{- ternary "yes" "no" (get $open (index . 1)) -}}
{{- end -}}

{{- define "txingress.publicPorts" -}}
{{- $values := .Values.controller -}}
{{- if $values.service.enabled -}}
http: {{ $values.service.ports.http | int }}
https: {{ $values.service.ports.https | int }}
{{- else if $values.hostPort.enabled -}}
http: {{ $values.hostPort.ports.http | int }}
https: {{ $values.hostPort.ports.https | int }}
{{- else if $values.hostNetwork -}}
http: {{ include "txingress.port" (list . "http") }}
https: {{ include "txingress.port" (list . "https") }}
{{- else -}}
http: 80
https: 443
{{- end -}}
{{- end -}}

{{/* source.kubernetes.status */}}
{{- define "txingress.status" -}}
{{- $values := .Values.controller -}}
{{- $isInternal := include "txingress.flagOr" (dict "root" . "name" "report-node-internal-ip-address" "or" $values.reportNodeInternalIp) | eq "true" -}}
{{- $own := printf "%s/%s" (include "txingress.namespace" .) (include "txingress.controller" .) -}}
{{- if include "txingress.flagOr" (dict "root" . "name" "update-status" "or" true) | ne "true" -}}
service: null
{{- else if or (hasKey (default dict $values.extraArgs) "publish-service") (hasKey (default dict $values.extraArgs) "publish-status-address") -}}
{}
{{- else if and $values.publishService.enabled $values.publishService.pathOverride -}}
service: {{ $values.publishService.pathOverride | quote }}
{{- else if and $values.publishService.enabled $values.service.enabled $values.service.external.enabled -}}
service: {{ $own | quote }}
{{- else if and $values.publishService.enabled $values.service.enabled $values.service.internal.enabled -}}
service: {{ printf "%s-internal" $own | quote }}
{{- else -}}
nodes: {{ ternary "internal" "external" $isInternal }}
{{- end -}}
{{- end -}}

{{/* The keys of ingress-nginx's ConfigMap. */}}
{{- define "txingress.nginxConfig" -}}
{{- $values := .Values.controller -}}
{{- $prefix := printf "%s/%s" (include "txingress.namespace" .) (include "txingress.controller" .) -}}
{{- $data := dict -}}
{{- if $values.allowSnippetAnnotations -}}
{{- $_ := set $data "allow-snippet-annotations" "true" -}}
{{- end -}}
{{- if $values.addHeaders -}}
{{- $_ := set $data "add-headers" (printf "%s-add-headers" $prefix) -}}
{{- end -}}
{{- if $values.proxySetHeaders -}}
{{- $_ := set $data "proxy-set-headers" (printf "%s-proxy-set-headers" $prefix) -}}
{{- end -}}
{{- range $key, $value := $values.config -}}
{{- $_ := set $data $key (tpl (include "txingress.text" $value) $) -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{/* A scalar as text. Numbers of values are floats, which would be written as 1e+06. */}}
{{- define "txingress.text" -}}
{{- if kindIs "float64" . -}}
{{- ternary (. | int64 | toString) (. | toString) (eq . (float64 (int64 .))) -}}
{{- else -}}
{{- . | toString -}}
{{- end -}}
{{- end -}}

{{/* config-map: NAMESPACE/NAME if there is one, or nothing. */}}
{{- define "txingress.configMap" -}}
{{- if .Values.controller.configMapNamespace -}}
{{- printf "%s/%s" .Values.controller.configMapNamespace (include "txingress.controller" .) -}}
{{- else if include "txingress.nginxConfig" . | fromYaml -}}
{{- printf "%s/%s-nginx" (include "txingress.namespace" .) (include "txingress.controller" .) -}}
{{- end -}}
{{- end -}}
