{{/* Ends the rendering if values contradict each other, or ask for what would harm. */}}
{{- define "txingress.refuse" -}}
{{- $values := .Values.controller -}}
{{- $image := include "txingress.image" (dict "root" . "image" $values.image "tag" .Chart.AppVersion) -}}
{{- if contains "ingress-nginx/controller" $image -}}
{{- fail (printf "controller.image: %s is the image of ingress-nginx, which does not read this configuration; leave controller.image.image, repository, tag and digest out, or name an image of txingress" $image) -}}
{{- end -}}
{{- if $values.scope.namespaceSelector -}}
{{- fail "controller.scope.namespaceSelector: namespaces cannot be chosen by their labels, and all of them would be served; name one in controller.scope.namespace, or a list in controller.configuration.source.kubernetes.namespaces" -}}
{{- end -}}
{{- if and $values.hostNetwork (lt (include "txingress.lowestPort" . | int) 1024) (ne (int $values.image.runAsUser) 0) -}}
{{- fail "controller.hostNetwork: the process has no privileges, so that it cannot listen on ports of the node below 1024; use controller.hostPort in place of hostNetwork, or ports of 1024 and above" -}}
{{- end -}}
{{- if and $values.hostPort.enabled $values.hostNetwork -}}
{{- fail "controller.hostPort and controller.hostNetwork: with hostNetwork, the ports of the node are those of containerPort; choose one of the two" -}}
{{- end -}}
{{- if and .Values.rbac.scope (not $values.scope.enabled) -}}
{{- fail "rbac.scope: without controller.scope.enabled objects of all namespaces are read, for which Roles are not enough" -}}
{{- end -}}
{{- range $port := keys (default dict .Values.tcp) -}}
{{- range $name := list "http" "https" "admin" -}}
{{- $isOpen := include "txingress.listens" (list $ $name) | eq "yes" -}}
{{- if and $isOpen (eq $port (include "txingress.port" (list $ $name))) -}}
{{- fail (printf "tcp.%s: the container listens there itself (%s); choose another port, or change controller.containerPort or controller.metrics.port" $port $name) -}}
{{- end -}}
{{- if and $isOpen (ne $name "admin") (eq $port (get $values.service.ports $name | int | toString)) -}}
{{- fail (printf "tcp.%s: the Service has that port already (controller.service.ports.%s)" $port $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (or $values.service.enableHttp $values.service.enableHttps) -}}
{{- fail "controller.service: enableHttp and enableHttps are both false, so that nothing would be served" -}}
{{- end -}}
{{- if and .Values.defaultBackend.enabled (not (or .Values.defaultBackend.image.image .Values.defaultBackend.image.repository)) -}}
{{- fail "defaultBackend.image: name the image; there is no default" -}}
{{- end -}}
{{- end -}}
