{{- define "mcprank.labels" -}}
app.kubernetes.io/name: mcprank
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "mcprank.host" -}}
{{ (urlParse (required "publicUrl: the URL that others reach it by" .Values.publicUrl)).host }}
{{- end }}
