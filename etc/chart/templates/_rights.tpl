{{/* The rights in each namespace that is served. */}}
{{- define "txingress.rights" -}}
# The hosts, paths and annotations to serve.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
# The ports that Ingresses name, ExternalNames, and the addresses of our own Service.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
# The addresses of pods, and whether they are ready.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# Certificates, and Secrets that annotations name. Secrets that no Ingress names are
# dropped as they arrive.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
# The ConfigMap that config-map names, those that annotations name, and all others of
# ingress-nginx, to report that their keys have no effect.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
# The addresses that kubectl get ingress shows; nothing else of an Ingress is written.
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
# The events that kubectl describe ingress shows: new ones, and repeated ones.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The right that addresses of nodes need; nothing without them. */}}
{{- define "txingress.nodeRights" -}}
{{- if include "txingress.nodes" . -}}
# The addresses of nodes, for the status of Ingresses.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end -}}
{{- end -}}
