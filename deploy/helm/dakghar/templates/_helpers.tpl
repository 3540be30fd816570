{{- define "dakghar.name" -}}
{{- if contains "dakghar" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-dakghar" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "dakghar.selector" -}}
app.kubernetes.io/name: dakghar
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dakghar.labels" -}}
{{ include "dakghar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dakghar.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* The keys of the Secret that this mode reads. */ -}}
{{- define "dakghar.secretKeys" -}}
{{- $keys := .Values.secrets.keys -}}
{{- if eq .Values.mode "embedded" }}{{ $keys = without $keys "MONGO_URI" "REDIS_URL" }}{{ end -}}
{{- $keys | sortAlpha | toJson -}}
{{- end }}

{{- /* The component and command of every kind of worker, as JSON. */ -}}
{{- define "dakghar.workers" -}}
{{- if eq .Values.worker.halves "apart" -}}
[{"name":"worker-send","args":["worker","--only","send"],"wait":""},{"name":"worker-callbacks","args":["worker","--only","callbacks"],"wait":"dakghar_callback_lag_seconds"}]
{{- else -}}
[{"name":"worker","args":["worker"],"wait":""}]
{{- end -}}
{{- end }}

{{- define "dakghar.env" -}}
- {name: APP_ENV, value: production}
- {name: PORT, value: "3000"}
- {name: BIND_ADDR, value: 0.0.0.0}
- {name: METRICS_ADDR, value: "0.0.0.0:9464"}
- {name: DATA_DIR, value: /data}
- {name: LOG_FORMAT, value: json}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ if kindIs "float64" $value }}{{ int64 $value | quote }}{{ else }}{{ toString $value | quote }}{{ end }}}
{{- end }}
{{- range include "dakghar.secretKeys" . | fromJsonArray }}
- {name: {{ . }}_FILE, value: /run/secrets/dakghar/{{ . }}}
{{- end }}
{{- end }}

{{- /* A pod; takes root, name, args, resources, data (the volume, or false where a claim brings it) and oneOff. */ -}}
{{- define "dakghar.pod" -}}
{{- $root := .root -}}
{{- /* Those that clients reach; a worker answers health checks only. */ -}}
{{- $isServer := has .name (list "api" "serve") -}}
{{- $tls := ternary $root.Values.tls.secretName "" $isServer -}}
{{- $scheme := ternary ", scheme: HTTPS" "" (ne $tls "") -}}
metadata:
  labels:
    {{- include "dakghar.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  automountServiceAccountToken: {{ $root.Values.serviceAccount.mountToken }}
  {{- with $root.Values.serviceAccount.name }}
  serviceAccountName: {{ . }}
  {{- end }}
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .oneOff }}
  restartPolicy: Never
  {{- end }}
  terminationGracePeriodSeconds: {{ $root.Values.stop.graceSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ $root.Values.podUser }}
    runAsGroup: {{ $root.Values.podUser }}
    fsGroup: {{ $root.Values.podUser }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- if not .oneOff }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "dakghar.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $.name }}
    {{- end }}
  {{- end }}
  containers:
    - name: dakghar
      image: {{ include "dakghar.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      env:
        {{- include "dakghar.env" $root | nindent 8 }}
        {{- if $tls }}
        - {name: TLS_CERT_FILE, value: /run/secrets/tls/tls.crt}
        - {name: TLS_KEY_FILE, value: /run/secrets/tls/tls.key}
        {{- end }}
      {{- if not .oneOff }}
      ports:
        - {name: http, containerPort: 3000}
        - {name: metrics, containerPort: 9464}
      # Ready to start with: the store and the queue. Afterwards a queue that is away must not take the API away, which
      # accepts without it; /healthz fails only where this process cannot go on.
      startupProbe:
        httpGet: {path: /readyz, port: http{{ $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 150
      readinessProbe:
        httpGet: {path: /healthz, port: http{{ $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /healthz, port: http{{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        preStop:
          sleep: {seconds: {{ $root.Values.stop.sleepSeconds }}}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: secrets, mountPath: /run/secrets/dakghar, readOnly: true}
        {{- if $tls }}
        - {name: tls, mountPath: /run/secrets/tls, readOnly: true}
        {{- end }}
        {{- if $root.Values.authorities.configMap }}
        - {name: authorities, mountPath: /etc/dakghar/authorities, readOnly: true}
        {{- end }}
  volumes:
    {{- with .data }}
    - name: data
      {{- toYaml . | nindent 6 }}
    {{- end }}
    - name: secrets
      secret:
        secretName: {{ $root.Values.secrets.existingSecret }}
        defaultMode: 0440
        items:
          {{- range include "dakghar.secretKeys" $root | fromJsonArray }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- with $tls }}
    - name: tls
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with $root.Values.authorities.configMap }}
    - name: authorities
      configMap: {name: {{ . }}}
    {{- end }}
{{- end }}

{{- /* A claim for /data; takes size and storageClass. */ -}}
{{- define "dakghar.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .size }}}}
{{- end }}
