{{- define "mozart.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that what is put behind it still fits a label. */}}
{{- define "mozart.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "mozart.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mozart.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "mozart.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mozart.selector" -}}
app.kubernetes.io/name: {{ include "mozart.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mozart.operatorSelector" -}}
{{ include "mozart.selector" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "mozart.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "mozart.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of `image` or `batchImage`. */}}
{{- define "mozart.image" -}}
{{- $image := index . 1 -}}
{{- $tag := default (index . 0).Chart.AppVersion $image.tag -}}
{{- if $image.digest -}}
{{- printf "%s:%s@%s" $image.repository $tag $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* The namespaces whose jobs are run, as JSON; none is all of them. */}}
{{- define "mozart.namespaces" -}}
{{- if .Values.jobs.clusterWide -}}
[]
{{- else -}}
{{- default (list .Release.Namespace) .Values.jobs.namespaces | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{/* Whether a Service leads to the dashboard; nothing is no. */}}
{{- define "mozart.dashboardService" -}}
{{- with .Values.dashboard -}}
{{- if and .enabled (or .service.enabled .ingress.enabled .httpRoute.enabled) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The names that people reach the dashboard by, but for those of its Service, as JSON: others are refused. */}}
{{- define "mozart.dashboardHosts" -}}
{{- with .Values.dashboard -}}
{{- $hosts := .hosts -}}
{{- if .ingress.enabled -}}
{{- $hosts = concat $hosts .ingress.hosts -}}
{{- end -}}
{{- if .httpRoute.enabled -}}
{{- $hosts = concat $hosts .httpRoute.hostnames -}}
{{- end -}}
{{- $hosts | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{/* Where the operator listens for what watches over it. */}}
{{- define "mozart.metricsAddress" -}}
{{- with .Values.metrics -}}
{{- if contains ":" .host -}}
{{- printf "[%s]:%d" .host (int .port) -}}
{{- else -}}
{{- printf "%s:%d" .host (int .port) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Every address of a Pod, of the family that the metrics are served on. */}}
{{- define "mozart.anyAddress" -}}
{{- if contains ":" .Values.metrics.host -}}
[::]
{{- else -}}
0.0.0.0
{{- end -}}
{{- end -}}

{{/* What the restricted level of Pod Security asks of a Pod. */}}
{{- define "mozart.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* And of a container. */}}
{{- define "mozart.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end -}}

{{/* Where Pods of the release run and what they are pulled with. */}}
{{- define "mozart.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
