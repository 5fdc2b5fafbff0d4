{{/* Refuses values that cannot work together, all of them at once: what one key alone may hold is the schema's part. */}}
{{- define "mediatask.required" -}}
{{- $faults := list -}}
{{- with .Values -}}
{{- if not .image.repository -}}
{{- $faults = append $faults "image.repository: required, the image of operator and API" -}}
{{- end -}}
{{- if and .api.keys.existingSecret .api.keys.generate -}}
{{- $faults = append $faults "api.keys: existingSecret and generate exclude each other" -}}
{{- end -}}
{{- with .api.jwt -}}
{{- if and (or .issuer .audience .jwksUrl) (not (and .issuer .audience .jwksUrl)) -}}
{{- $faults = append $faults "api.jwt: issuer, audience and jwksUrl belong together" -}}
{{- end -}}
{{- end -}}
{{- if and .webhooks.existingSecret .webhooks.generate -}}
{{- $faults = append $faults "webhooks: existingSecret and generate exclude each other" -}}
{{- end -}}
{{- if and .webhooks.apiKeyKey (not .webhooks.existingSecret) -}}
{{- $faults = append $faults "webhooks.apiKeyKey: needs webhooks.existingSecret" -}}
{{- end -}}
{{- if and .webhooks.apiKeyKey (not .webhooks.apiKeyHosts) -}}
{{- $faults = append $faults "webhooks.apiKeyHosts: name the hosts that get the API key of webhooks.apiKeyKey" -}}
{{- end -}}
{{- if and .payload.apiUrl (not .payload.existingSecret) -}}
{{- $faults = append $faults "payload.apiUrl: needs payload.existingSecret, the Secret with the API key" -}}
{{- end -}}
{{- if gt (len (compact (list .redis.existingSecret .redis.url (ternary "bundled" "" .redis.bundled.enabled)))) 1 -}}
{{- $faults = append $faults "redis: existingSecret, url and bundled.enabled exclude each other" -}}
{{- end -}}
{{- if and .s3.bundled.enabled (or .s3.existingSecret .s3.endpoint) -}}
{{- $faults = append $faults "s3: bundled.enabled excludes existingSecret and endpoint" -}}
{{- end -}}
{{- range $name, $spec := .classes -}}
{{- if not (or $spec.image $.Values.jobImage.repository) -}}
{{- $faults = append $faults (printf "classes.%s.image: set it, or jobImage.repository for all classes" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .rbac.namespaces (not (has (include "mediatask.apiNamespace" $) .rbac.namespaces)) -}}
{{- $faults = append $faults (printf "rbac.namespaces: lacks %s, the namespace that the API serves" (include "mediatask.apiNamespace" $)) -}}
{{- end -}}
{{- if and .serviceAccounts.job.create (not .rbac.namespaces) -}}
{{- $faults = append $faults "rbac.namespaces: needed where serviceAccounts.job.create is true, to create it there" -}}
{{- end -}}
{{- range $component := list "operator" "api" -}}
{{- $account := index $.Values.serviceAccounts $component -}}
{{- if not (or $account.create $account.name) -}}
{{- $faults = append $faults (printf "serviceAccounts.%s.name: needed where create is false" $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n  %s\n" (join "\n  " $faults)) -}}
{{- end -}}
{{- end -}}
