{{/* The release's name, with the chart's added unless it contains it. A label has 63 characters; suffixes need some. */}}
{{- define "mediatask.fullname" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "mediatask.labels" -}}
app.kubernetes.io/name: mediatask
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The name of a service account: include "mediatask.serviceAccount" (list . "operator") */}}
{{- define "mediatask.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $given := index $root.Values.serviceAccounts $component -}}
{{- $own := printf "%s-%s" (include "mediatask.fullname" $root) $component -}}
{{- $given.name | default (ternary $own "default" $given.create) -}}
{{- end -}}

{{/* The namespace whose tasks the API serves. */}}
{{- define "mediatask.apiNamespace" -}}
{{- .Values.api.namespace | default .Release.Namespace -}}
{{- end -}}
