{{/* Labels that select the pods of a component: include "mediatask.selector" (list . "api") */}}
{{- define "mediatask.selector" -}}
app.kubernetes.io/name: mediatask
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The name of an object of a component: include "mediatask.name" (list . "api") */}}
{{- define "mediatask.name" -}}
{{ include "mediatask.fullname" (index . 0) }}-{{ index . 1 }}
{{- end -}}

{{/* Name, namespace and labels of an object of a component. */}}
{{- define "mediatask.metadata" -}}
name: {{ include "mediatask.name" . }}
namespace: {{ (index . 0).Release.Namespace }}
labels:
  {{- include "mediatask.labels" (index . 0) | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The reference of an image: include "mediatask.image" (list . .Values.image) */}}
{{- define "mediatask.image" -}}
{{- $given := index . 1 -}}
{{- if $given.digest -}}
{{ $given.repository }}@{{ $given.digest }}
{{- else -}}
{{ $given.repository }}:{{ $given.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What every pod of the chart has. The ids are those of the images' user.
     enableServiceLinks would fill the environment with MEDIATASK_PORT and the like, which are our own settings' names. */}}
{{- define "mediatask.podFloor" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container of the chart has. */}}
{{- define "mediatask.containerFloor" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Scheduling of a component's pods. */}}
{{- define "mediatask.placement" -}}
{{- $given := pick . "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- range $field, $value := $given -}}
{{- if not $value -}}
{{- $_ := unset $given $field -}}
{{- end -}}
{{- end -}}
{{- with $given -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{/* Labels of a component's pods. Without the chart's version, so that a new chart alone restarts nothing. */}}
{{- define "mediatask.podLabels" -}}
{{ include "mediatask.selector" . }}
{{- with (index (index . 0).Values (index . 1)).podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
