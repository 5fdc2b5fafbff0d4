{{/* Names of the Secrets: the installation's own, else those that the chart generates. Empty: there is none. */}}
{{- define "mediatask.keysSecret" -}}
{{- .Values.api.keys.existingSecret | default (include "mediatask.name" (list . "api-keys")) -}}
{{- end -}}

{{- define "mediatask.webhookSecret" -}}
{{- with .Values.webhooks -}}
{{- .existingSecret | default (ternary (include "mediatask.name" (list $ "webhook")) "" .generate) -}}
{{- end -}}
{{- end -}}

{{- define "mediatask.redisSecret" -}}
{{- with .Values.redis -}}
{{- ternary (include "mediatask.name" (list $ "redis")) .existingSecret .bundled.enabled -}}
{{- end -}}
{{- end -}}

{{- define "mediatask.s3Secret" -}}
{{- with .Values.s3 -}}
{{- ternary (include "mediatask.name" (list $ "s3")) .existingSecret .bundled.enabled -}}
{{- end -}}
{{- end -}}

{{- define "mediatask.testSecret" -}}
{{- with .Values.test.existingSecret -}}
{{- . -}}
{{- else -}}
{{- if .Values.api.keys.generate -}}
{{- include "mediatask.keysSecret" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mediatask.internalUrl" -}}
http://{{ include "mediatask.name" (list . "api-internal") }}.{{ .Release.Namespace }}.svc:8002
{{- end -}}

{{/* Where operator and API answer /metrics. */}}
{{- define "mediatask.metricsPort" -}}
9090
{{- end -}}

{{/* An entry of `env` from a Secret: include "mediatask.secretEnv" (list "NAME" "secret" "key") */}}
{{- define "mediatask.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* Variables that operator and API both read. */}}
{{- define "mediatask.commonEnv" -}}
- name: MEDIATASK_LOG_LEVEL
  value: {{ .Values.log.level }}
- name: MEDIATASK_LOG_STYLE
  value: json
- name: MEDIATASK_METRICS_PORT
  value: {{ include "mediatask.metricsPort" . | quote }}
- name: MEDIATASK_ALLOW_NETWORKS
  value: {{ .Values.allowNetworks | toJson | quote }}
- name: MEDIATASK_DENY_NETWORKS
  value: {{ .Values.denyNetworks | toJson | quote }}
{{- with .Values.budgets.configMap }}
- name: MEDIATASK_BUDGETS_CONFIG_MAP
  value: {{ printf "%s/%s" $.Release.Namespace . | quote }}
{{- end }}
{{- with .Values.moderation.configMap }}
- name: MEDIATASK_MODERATION_CONFIG_MAP
  value: {{ printf "%s/%s" $.Release.Namespace . | quote }}
{{- end }}
{{- with include "mediatask.redisSecret" . }}
{{ include "mediatask.secretEnv" (list "MEDIATASK_REDIS_URL" . (ternary "url" $.Values.redis.urlKey $.Values.redis.bundled.enabled)) }}
{{- else }}
{{- with .Values.redis.url }}
- name: MEDIATASK_REDIS_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{ include "mediatask.storeEnv" . }}
{{- end -}}

{{- define "mediatask.storeEnv" -}}
{{- $bundled := .Values.s3.bundled.enabled -}}
{{- $endpoint := ternary (printf "http://%s.%s.svc:7070" (include "mediatask.name" (list . "s3")) .Release.Namespace) .Values.s3.endpoint $bundled -}}
{{- with .Values.s3 -}}
- name: MEDIATASK_STORE_KIND
  value: s3
- name: MEDIATASK_STORE_BUCKET
  value: {{ .bucket | quote }}
- name: MEDIATASK_STORE_REGION
  value: {{ .region | quote }}
- name: MEDIATASK_STORE_ADDRESSING
  value: {{ ternary "path" .addressing $bundled }}
- name: MEDIATASK_STORE_URL_EXPIRY_SECONDS
  value: {{ .urlExpirySeconds | int | quote }}
{{- with $endpoint }}
- name: MEDIATASK_STORE_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .publicEndpoint }}
- name: MEDIATASK_STORE_EXTERNAL_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .publicUrl }}
- name: MEDIATASK_STORE_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{- with include "mediatask.s3Secret" $ }}
{{ include "mediatask.secretEnv" (list "MEDIATASK_STORE_ACCESS_KEY_ID" . (ternary "access-key-id" $.Values.s3.accessKeyIdKey $bundled)) }}
{{ include "mediatask.secretEnv" (list "MEDIATASK_STORE_SECRET_ACCESS_KEY" . (ternary "secret-access-key" $.Values.s3.secretAccessKeyKey $bundled)) }}
{{- end }}
{{- end }}
{{- end -}}
