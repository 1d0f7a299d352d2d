{{/*
The template of the pods. root: the values; further: labels beside those that select.
*/}}
{{- define "txingress.pod" -}}
{{- $values := .root.Values.controller -}}
metadata:
  labels:
    {{- include "txingress.texts" (merge (include "txingress.selector" .root | fromYaml) .further (default dict $values.podLabels) (default dict $values.labels) (default dict .root.Values.commonLabels)) | nindent 4 }}
  annotations:
    # New pods for what a running process does not take over.
    txingress.dev/restart-for: {{ include "txingress.restartFor" .root | sha256sum | trunc 16 | quote }}
    {{- with $values.podAnnotations }}
    {{- include "txingress.texts" . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "txingress.serviceAccount" .root | quote }}
  automountServiceAccountToken: true
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds | int }}
  securityContext:
    {{- include "txingress.podSecurity" .root | nindent 4 }}
  {{- if $values.hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- if or $values.dnsPolicy $values.hostNetwork }}
  dnsPolicy: {{ default "ClusterFirstWithHostNet" $values.dnsPolicy | quote }}
  {{- end }}
  {{- range $field := list "dnsConfig" "hostAliases" "hostname" "runtimeClassName" "priorityClassName" "shareProcessNamespace" "tolerations" "affinity" "nodeSelector" }}
  {{- with get $values $field }}
  {{ $field }}:
    {{- tpl (toYaml .) $.root | nindent 4 }}
  {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- tpl (toYaml $values.topologySpreadConstraints) .root | nindent 4 }}
    {{- else }}
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "txingress.selector" $.root | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- with $values.extraInitContainers }}
  initContainers:
    {{- tpl (toYaml .) $.root | nindent 4 }}
  {{- end }}
  containers:
    {{- include "txingress.container" .root | nindent 4 }}
    {{- with $values.extraContainers }}
    {{- tpl (toYaml .) $.root | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "txingress.controller" .root | quote }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The part of the configuration that a process reads only when it starts. */}}
{{- define "txingress.restartFor" -}}
{{- $config := include "txingress.configuration" . | fromYaml -}}
{{- $admin := pick (default dict $config.admin) "health-path" -}}
{{- toYaml (merge (pick $config "listen" "source" "installation" "workers") $admin) -}}
{{- end -}}

{{/* The lowest port that the process listens on. */}}
{{- define "txingress.lowestPort" -}}
{{- $lowest := 65536 -}}
{{- range $name := list "http" "https" -}}
{{- if include "txingress.listens" (list $ $name) | eq "yes" -}}
{{- $lowest = min $lowest (include "txingress.port" (list $ $name) | int) -}}
{{- end -}}
{{- end -}}
{{- range $port := concat (keys (default dict .Values.tcp)) (keys (default dict .Values.udp)) -}}
{{- $lowest = min $lowest (int $port) -}}
{{- end -}}
{{- $lowest -}}
{{- end -}}

{{/* Of the pod: that of the image, with the sysctls that low ports need. */}}
{{- define "txingress.podSecurity" -}}
{{- $values := .Values.controller -}}
{{- $sysctls := $values.sysctls -}}
{{- if and (lt (include "txingress.lowestPort" . | int) 1024) (not $values.hostNetwork) -}}
{{- $sysctls = merge (dict) $sysctls (dict "net.ipv4.ip_unprivileged_port_start" "0") -}}
{{- end -}}
{{- $security := include "txingress.unprivileged" $values.image | fromYaml -}}
{{- if $sysctls -}}
{{- $listed := list -}}
{{- range $name, $value := $sysctls -}}
{{- $listed = append $listed (dict "name" $name "value" (toString $value)) -}}
{{- end -}}
{{- $_ := set $security "sysctls" $listed -}}
{{- end -}}
{{- toYaml (mergeOverwrite $security (default dict $values.podSecurityContext | deepCopy)) -}}
{{- end -}}

{{- define "txingress.container" -}}
{{- $values := .Values.controller -}}
{{- $image := $values.image -}}
- name: {{ $values.containerName | quote }}
  image: {{ include "txingress.image" (dict "root" . "image" $image "tag" .Chart.AppVersion) | quote }}
  {{- with $image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  env:
    # Its identity in the Lease, in Events and in metrics.
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    # For the label of metrics, beside the pod's name.
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    # For source.kubernetes.status.nodes.
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    {{- with $values.extraEnvs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    {{- range $name := list "http" "https" }}
    {{- if include "txingress.listens" (list $ $name) | eq "yes" }}
    - name: {{ $name }}
      containerPort: {{ include "txingress.port" (list $ $name) }}
      {{- if $values.hostPort.enabled }}
      hostPort: {{ get $values.hostPort.ports $name | int }}
      {{- end }}
    {{- end }}
    {{- end }}
    - name: admin
      containerPort: {{ include "txingress.port" (list . "admin") }}
    {{- range $protocol := list "tcp" "udp" }}
    {{- range $port, $_ := default dict (get $.Values $protocol) }}
    - name: {{ include "txingress.portName" (dict "root" $ "port" $port "protocol" $protocol) | quote }}
      containerPort: {{ $port }}
      {{- if $values.hostPort.enabled }}
      hostPort: {{ $port }}
      {{- end }}
      protocol: {{ upper $protocol }}
    {{- end }}
    {{- end }}
  securityContext:
    {{- if $values.containerSecurityContext }}
    {{- toYaml $values.containerSecurityContext | nindent 4 }}
    {{- else }}
    {{- include "txingress.confined" $image | nindent 4 }}
    {{- end }}
  {{- with $values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.resizePolicy }}
  resizePolicy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # The process is alive as long as it answers, with an API server or without. The pod gets
  # requests once it knows where they go.
  {{- range $probe, $path := dict "startupProbe" "/healthz" "livenessProbe" "/healthz" "readinessProbe" "/readyz" }}
  {{ $probe }}:
    httpGet:
      path: {{ $path }}
      port: admin
    {{- toYaml (omit (get $values $probe) "httpGet" "exec" "tcpSocket" "grpc") | nindent 4 }}
  {{- end }}
  lifecycle:
    {{- if $values.lifecycle }}
    {{- toYaml $values.lifecycle | nindent 4 }}
    {{- else }}
    # Load balancers and nodes still send to a terminating pod for a while, so it serves as before
    # until they have noticed. Then SIGTERM follows.
    preStop:
      exec:
        command: [sleep, "15"]
    {{- end }}
  volumeMounts:
    - name: config
      mountPath: /etc/txingress
      readOnly: true
    {{- with $values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
