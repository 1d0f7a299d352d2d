{{/*
The values of ingress-nginx's chart that its users may have, and that do nothing here: a line of
NOTES.txt for each that is set. values.schema.json accepts them.
*/}}
{{- define "txingress.unused" -}}
{{- $harmless := include "txingress.harmless" . | fromYaml }}
{{- range $path, $reason := include "txingress.unusedReasons" . | fromYaml }}
{{- $found := $.Values }}
{{- range $key := splitList "." $path }}
{{- $found = ternary (dict) $found (not (kindIs "map" $found)) }}
{{- $found = ternary (get $found $key) nil (hasKey $found $key) }}
{{- end }}
{{- $harmless := get $harmless $path }}
{{- if and (not (kindIs "invalid" $found)) (ne (toJson $found) (toJson $harmless)) (or $found (kindIs "bool" $harmless)) }}
- {{ $path }}: {{ $reason }}
{{- end }}
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

{{/* Of those, the values that ask for what is done anyway. */}}
{{- define "txingress.harmless" -}}
controller.enableAnnotationValidations: true
controller.healthCheckPath: /healthz
{{- end -}}

{{- define "txingress.unusedReasons" -}}
controller.admissionWebhooks.enabled: there is no admission webhook; Events and "txingress check" say what is wrong with an Ingress
controller.customTemplate.configMapName: there is no template of nginx
controller.disableLeaderElection: replicas always elect the one that writes
controller.electionTTL: the times of the Lease are fixed
controller.enableAnnotationValidations: annotations are always validated
controller.enableMimalloc: there is no such allocator
controller.enableTopologyAwareRouting: endpoints of every zone are used
controller.extraModules: there are no modules of nginx
controller.healthCheckHost: the admin listener is on every address; controller.configuration.listen.admin changes that
controller.healthCheckPath: the path is /healthz
controller.image.chroot: there is no such image
controller.image.digestChroot: there is no such image
controller.ingressClassByName: the name of a class is always read, unless there is an IngressClass of that name
controller.keda.enabled: use controller.autoscaling, or a ScaledObject of your own with replicaCount
controller.maxmindLicenseKey: there is no GeoIP
controller.opentelemetry.enabled: spans need no module; set otlp in controller.configuration, or otlp-collector-host in controller.config
defaultBackend.autoscaling.enabled: set defaultBackend.replicaCount
defaultBackend.extraConfigMaps: create them beside this chart
defaultBackend.networkPolicy.enabled: create it beside this chart
dhParam: no cipher with DHE is offered
{{- end -}}
