{{/* Names and labels. */}}

{{- define "txingress.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "txingress.fullname" -}}
{{- $name := include "txingress.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of the Deployment, its Services and its ConfigMap. */}}
{{- define "txingress.controller" -}}
{{- $name := include "txingress.fullname" . -}}
{{- if .Values.controller.name -}}
{{- $name = printf "%s-%s" $name .Values.controller.name -}}
{{- end -}}
{{- $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "txingress.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "txingress.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "txingress.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "txingress.backend" -}}
{{- printf "%s-%s" (include "txingress.fullname" .) .Values.defaultBackend.name -}}
{{- end -}}

{{/* By these labels pods are selected, so they never change. */}}
{{- define "txingress.selector" -}}
app.kubernetes.io/name: {{ include "txingress.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "txingress.backend.selector" -}}
app.kubernetes.io/name: {{ include "txingress.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: default-backend
{{- end -}}

{{- define "txingress.labels" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)
    "app.kubernetes.io/name" (include "txingress.name" .)
    "app.kubernetes.io/instance" .Release.Name
    "app.kubernetes.io/version" (.Chart.AppVersion | toString)
    "app.kubernetes.io/part-of" (include "txingress.name" .)
    "app.kubernetes.io/managed-by" .Release.Service
    "app.kubernetes.io/component" "controller" -}}
{{- toYaml (merge $own (default dict .Values.commonLabels)) -}}
{{- end -}}

{{- define "txingress.backend.labels" -}}
{{- $own := dict "app.kubernetes.io/component" "default-backend" -}}
{{- toYaml (merge $own (default dict .Values.defaultBackend.labels) (include "txingress.labels" . | fromYaml)) -}}
{{- end -}}

{{/*
The metadata of an object.

root: the values; name; labels, annotations: further ones, or nothing; namespace: empty for that of
the release, "-" for none.
*/}}
{{- define "txingress.metadata" -}}
name: {{ .name | quote }}
{{- if ne (default "" .namespace) "-" }}
namespace: {{ default (include "txingress.namespace" .root) .namespace | quote }}
{{- end }}
labels:
  {{- include "txingress.texts" (merge (include "txingress.labels" .root | fromYaml) (default dict .labels)) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- include "txingress.texts" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A mapping whose values are text, as labels and annotations are, whatever was written. */}}
{{- define "txingress.texts" -}}
{{- $texts := dict -}}
{{- range $name, $value := . -}}
{{- $_ := set $texts $name (include "txingress.text" $value) -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* The name of an image. root; image: its values; tag: where it has none. */}}
{{- define "txingress.image" -}}
{{- $global := default dict .root.Values.global.image -}}
{{- $registry := default $global.registry .image.registry -}}
{{- $name := .image.repository -}}
{{- if not $name -}}
{{- $name = ternary (printf "%s/%s" $registry .image.image) .image.image (not (empty $registry)) -}}
{{- end -}}
{{- $tag := default .tag .image.tag -}}
{{- $name -}}{{- with $tag }}:{{ . }}{{ end -}}{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* The security context of a container, of its image's values. */}}
{{- define "txingress.confined" -}}
allowPrivilegeEscalation: {{ .allowPrivilegeEscalation }}
readOnlyRootFilesystem: {{ .readOnlyRootFilesystem }}
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The security context of a pod, of its image's values. */}}
{{- define "txingress.unprivileged" -}}
runAsNonRoot: {{ .runAsNonRoot }}
runAsUser: {{ .runAsUser | int64 }}
runAsGroup: {{ .runAsGroup | int64 }}
{{- with .seccompProfile }}
seccompProfile:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Whether replicas are scaled: "yes" or nothing. */}}
{{- define "txingress.scaled" -}}
{{- $enabled := .Values.controller.autoscaling.enabled -}}
{{- if and (ne .Values.controller.kind "DaemonSet") (or (eq (toString $enabled) "true") (and (eq (toString $enabled) "auto") (not (hasKey .Values.controller "replicaCount")))) -}}
yes
{{- end -}}
{{- end -}}

{{/* The replicas that there are at least. */}}
{{- define "txingress.replicas" -}}
{{- if include "txingress.scaled" . -}}
{{- .Values.controller.autoscaling.minReplicas | int -}}
{{- else if hasKey .Values.controller "replicaCount" -}}
{{- .Values.controller.replicaCount | int -}}
{{- else -}}
2
{{- end -}}
{{- end -}}

{{/* The namespace of a ConfigMap of ports. root; protocol: tcp or udp. */}}
{{- define "txingress.portsNamespace" -}}
{{- default (include "txingress.namespace" .root) (get .root.Values.controller .protocol).configMapNamespace -}}
{{- end -}}

{{/* The name of a forwarded port. root; port; protocol: tcp or udp. */}}
{{- define "txingress.portName" -}}
{{- with .root.Values.portNamePrefix }}{{ . }}-{{ end -}}{{ .port }}-{{ .protocol }}
{{- end -}}

{{/* The namespace that is served; empty for all. */}}
{{- define "txingress.scope" -}}
{{- if .Values.controller.scope.enabled -}}
{{- default (include "txingress.namespace" .) .Values.controller.scope.namespace -}}
{{- end -}}
{{- end -}}

{{/* Whether addresses of nodes are written, so that they have to be read: "yes" or nothing. */}}
{{- define "txingress.nodes" -}}
{{- $status := ((include "txingress.configuration" . | fromYaml).source.kubernetes).status -}}
{{- if (default dict $status).nodes -}}yes{{- end -}}
{{- end -}}

{{/* The name of the Lease. */}}
{{- define "txingress.lease" -}}
{{- $flag := get (default dict .Values.controller.extraArgs) "election-id" -}}
{{- default (printf "%s-leader" (include "txingress.controller" .)) (default $flag .Values.controller.electionID) -}}
{{- end -}}
